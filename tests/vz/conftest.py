"""Servers for the tests of the stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vz.machine import SHELLS, Machine, machine


@pytest.fixture(params=SHELLS)
def four(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A server with vzctl 4.x, once for each shell."""
    with machine(tmp_path, "4", request.param) as ready:
        yield ready


@pytest.fixture(params=SHELLS)
def seven(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A server with vzctl 7+, once for each shell."""
    with machine(tmp_path, "7", request.param) as ready:
        yield ready
