"""What the tests of the SSH transport share: real sshd processes and a pool."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from nodes.ssh import Pool
from tests.sshd import Sshd

StartSshd = Callable[..., Sshd]


@pytest.fixture
def start_sshd(tmp_path: Path) -> Iterator[StartSshd]:
    """Starts as many sshd as a test wants; arguments as Sshd. All end with the test."""
    numbers = itertools.count()
    with ExitStack() as stack:

        def start(config: str = "", **options: Any) -> Sshd:
            return stack.enter_context(Sshd(tmp_path / f"sshd{next(numbers)}", config, **options))

        yield start


@pytest.fixture
def sshd(start_sshd: StartSshd) -> Sshd:
    """One sshd as most servers have it."""
    return start_sshd()


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A pool that is closed after the test."""
    pool = Pool()
    yield pool
    pool.close()
