"""A container whose two interfaces swap their networks sees others than before, and is seen by others."""

from __future__ import annotations

from networks.domain.inventory import (
    ContainerKey,
    ContainerView,
    InterfaceView,
    Inventory,
    RoutingView,
    ServerView,
)
from networks.domain.state import (
    AddMember,
    CreateNetwork,
    Desired,
    Edit,
    InterfaceKey,
    RemoveMember,
    apply_edits,
)
from networks.domain.visibility import Visibility, visibility

FRONT, BACK = "front", "back"
C1, C2, C3 = (ContainerKey(1, ctid) for ctid in ("101", "102", "103"))
FIRST, SECOND = (InterfaceKey(1, "101", ifname) for ifname in ("eth0", "eth1"))


def bridged(ctid: str, ifname: str, address: str) -> InterfaceView:
    return InterfaceView(InterfaceKey(1, ctid, ifname), addresses=(address,), addresses_known=True)


FOUND = Inventory(
    servers=(ServerView(1, "server1", routing=RoutingView()),),
    containers=tuple(
        ContainerView(key.server, key.ctid, status="running", routing=RoutingView()) for key in (C1, C2, C3)
    ),
    interfaces=(
        bridged("101", "eth0", "10.1.0.1/24"),
        bridged("101", "eth1", "10.2.0.1/24"),
        bridged("102", "eth0", "10.1.0.2/24"),
        bridged("103", "eth0", "10.2.0.3/24"),
    ),
)
BUILT = apply_edits(
    Desired(),
    (
        CreateNetwork(FRONT, "Front"),
        CreateNetwork(BACK, "Back"),
        AddMember(FRONT, FIRST),
        AddMember(FRONT, InterfaceKey(1, "102", "eth0")),
        AddMember(BACK, SECOND),
        AddMember(BACK, InterfaceKey(1, "103", "eth0")),
    ),
)


def sight(*edits: Edit) -> Visibility:
    return visibility(apply_edits(BUILT, edits), BUILT, FOUND)


SWAPPED = (RemoveMember(FIRST), RemoveMember(SECOND), AddMember(BACK, FIRST), AddMember(FRONT, SECOND))


def test_a_container_whose_interfaces_swap_networks_loses_sight_of_both() -> None:
    before, after = sight(), sight(*SWAPPED)
    for other in (C2, C3):
        assert (before.answer(C1, other), after.answer(C1, other)) == ("yes", "no")
    change = before.difference(after)
    lost = {frozenset((*s.first.members, *s.second.members)) for s in change.lost}
    assert lost == {frozenset((C1, C2)), frozenset((C1, C3))}
    assert not change.gained
    back = after.difference(before)
    assert len(back.gained) == 2 and not back.lost


def test_the_same_design_twice_is_no_difference() -> None:
    assert not sight().difference(sight())
    assert not sight(*SWAPPED).difference(sight(*SWAPPED))
