"""The lab as a pytest fixture, for every test that needs real servers, and which of them go together."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import IO

import pytest

from lab import netns
from lab.errors import LabInUse
from lab.lab import Lab
from lab.place import default_place, spare_places

WAS_USED = pytest.StashKey[bool]()
"""Of a session: tests have used its lab that leave it as they find it, so not just made."""

LAB = pytest.StashKey[Lab]()
"""Of a session: its lab, once it is up."""

HOME = netns.here()
"""The network namespace in which this process began."""


@pytest.fixture(scope="session")
def lab_held() -> Iterator[tuple[Lab, bool]]:
    """A lab that nobody else uses, and whether it was there before; one that was not is removed again."""
    one, held = _free_lab()
    was_there = one.place.server("server1").exists()
    was_up = one.state("server1") != "off"
    try:
        one.up()
        yield one, was_there
    finally:
        held.close()
        if not was_up:
            one.down()


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, lab_held: tuple[Lab, bool]) -> Lab:
    """The lab, up and ours alone; a spare one of the checkout while somebody (a demo) uses the first.

    Its tests run in its panel namespace, from where servers answer. A lab found up is left up. A test
    leaves it as it found it.
    """
    one, _ = lab_held
    one.enter_panel()
    request.session.stash[LAB] = one
    return one


def enter_lab(item: pytest.Item) -> None:
    """At the start of a test: those of a lab that is up run in its panel namespace."""
    if item.get_closest_marker("lab") and LAB in item.session.stash:
        item.session.stash[LAB].enter_panel()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Every test begins where this process began, whatever the one before entered."""
    with netns.inside(HOME):
        return (yield)


def _free_lab() -> tuple[Lab, IO[str]]:
    """The checkout's first lab that nobody uses, and the hold on it; waits for the last one."""
    *others, last = (Lab(place) for place in (default_place(), *spare_places()))
    for one in others:
        with contextlib.suppress(LabInUse):
            return one, one.use(alone=True)
    return last, last.use(alone=True, wait=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lab tests share one lab, so one xdist worker runs them, one after the other.

    Journeys are another worker's, on a lab of their own: they change its servers for good, and starting a
    panel for them costs too much to do it twice. In one process they come last, on the same lab.
    """
    items.sort(key=is_journey)
    for item in items:
        if is_journey(item):
            item.add_marker(pytest.mark.xdist_group("journeys"))
        elif item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.xdist_group("lab"))


def is_journey(item: pytest.Item) -> bool:
    """A test of a whole way through the panel, which changes the lab for good."""
    return "journeys" in item.path.parts
