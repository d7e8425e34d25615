"""The lab as a pytest fixture, for every test that needs real servers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO

import pytest

from lab.errors import LabInUse
from lab.lab import Lab
from lab.place import default_place, spare_places


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab, up and ours alone; a spare one of the checkout while somebody (a demo) uses the first.

    This process becomes a resident of its panel namespace, from where servers answer. A lab found up
    is left up. A test leaves it as it found it.
    """
    one, held = _free_lab()
    was_up = one.state("server1") != "off"
    one.up()
    one.enter_panel()
    yield one
    held.close()
    if not was_up:
        one.down()


def _free_lab() -> tuple[Lab, IO[str]]:
    """The checkout's first lab that nobody uses, and the hold on it; waits for the last one."""
    *others, last = (Lab(place) for place in (default_place(), *spare_places()))
    for one in others:
        with contextlib.suppress(LabInUse):
            return one, one.use(alone=True)
    return last, last.use(alone=True, wait=True)
