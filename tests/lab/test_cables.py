from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.lab import Lab
from tests.lab.pings import answers, reaches, within

pytestmark = pytest.mark.lab


@pytest.fixture
def unplugged(lab: Lab) -> Iterator[Lab]:
    """The lab with the cable of server 1 pulled."""
    lab.cable("server1", plugged=False)
    yield lab
    lab.cable("server1", plugged=True)
    assert within(5, lambda: answers("10.77.0.11"))


def test_a_server_without_cable_is_gone_from_the_network(unplugged: Lab) -> None:
    assert not answers("10.77.0.11")
    assert not answers("fd77::11")
    assert not unplugged.ssh("server1", "true", timeout_s=20).ok
    assert answers("10.77.0.12")


def test_its_console_still_obeys(unplugged: Lab) -> None:
    assert unplugged.check("server1", "uname -n") == "server1\n"
    assert not reaches(unplugged, "server1", "10.77.0.1")


def test_it_comes_back_with_the_cable_every_time(lab: Lab) -> None:
    for _ in range(3):
        lab.cable("server1", plugged=False)
        assert not answers("10.77.0.11")
        lab.cable("server1", plugged=True)
        assert within(5, lambda: answers("10.77.0.11"))
