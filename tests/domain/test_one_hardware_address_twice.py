"""Two containers with one hardware address on one network: bridges mix them up, so nothing is certain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.inventory import ContainerKey, Inventory
from networks.domain.visibility import OtherHosts, Visibility, visibility
from tests.domain import built, scheme
from tests.domain.scheme import interface

FOUND = scheme.inventory(built.LOOKS)
OTHERS = OtherHosts(scheme.SEGMENT)
C102, C103, C201, C203 = (ContainerKey(int(ctid[0]), ctid) for ctid in ("102", "103", "201", "203"))
MAC = "00:18:51:aa:bb:cc"


def sight(found: Inventory) -> Visibility:
    return visibility(built.DESIRED, built.DESIRED, found)


def with_mac(*ctids: str, found: Inventory = FOUND) -> Inventory:
    keys = {interface(int(ctid[0]), ctid) for ctid in ctids}
    views = (replace(i, mac=MAC) if i.key in keys else i for i in found.interfaces)
    return replace(found, interfaces=tuple(views))


def test_whether_anybody_reaches_either_of_them_is_unknown() -> None:
    seen = sight(with_mac("102", "103"))
    for one, other in ((C102, C103), (C201, C102), (C102, C201), (OTHERS, C103)):
        assert seen.answer(one, other) == seen.layer2_answer(one, other) == "unknown"
    assert sight(FOUND).answer(C201, C102) == "yes"


def test_it_says_why_and_shows_both() -> None:
    verdict = sight(with_mac("102", "103")).reaches(C201, C102)
    assert "has the hardware address of another Container on its network" in verdict.text
    assert verdict.broken is not None
    assert [(e.ctid, e.command, e.shows) for e in verdict.broken.evidence] == [
        ("102", "ip link show dev eth0", f"link/ether {MAC}"),
        ("103", "ip link show dev eth0", f"link/ether {MAC}"),
    ]


@pytest.mark.parametrize("other", ["203", "stopped"])
def test_elsewhere_and_stopped_it_disturbs_nobody(other: str) -> None:
    found = with_mac("102", "203" if other == "203" else "103")
    if other == "stopped":
        stopped = (replace(c, status="stopped") if c.key == C103 else c for c in found.containers)
        found = replace(found, containers=tuple(stopped))
    assert sight(found).answer(C201, C102) == "yes"


def test_who_does_not_talk_to_them_is_not_disturbed() -> None:
    seen = sight(with_mac("102", "103"))
    assert seen.answer(C201, OTHERS) == "yes"
