"""The lab as a pytest fixture, for every test that needs real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.errors import LabInUse
from lab.lab import Lab
from lab.place import spare_place


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab, up and ours alone; the checkout's spare one while somebody (a demo) uses the first.

    This process becomes a resident of its panel namespace, from where servers answer. A lab found up
    is left up. A test leaves it as it found it.
    """
    one = Lab()
    try:
        held = one.use(alone=True)
    except LabInUse:
        one = Lab(spare_place())
        held = one.use(alone=True, wait=True)
    was_up = one.state("server1") != "off"
    one.up()
    one.enter_panel()
    yield one
    held.close()
    if not was_up:
        one.down()
