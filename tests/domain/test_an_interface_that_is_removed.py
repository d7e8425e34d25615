"""An interface that a draft removes is in nothing any more: nobody sees its container by it.

201 on server 2 has two, eth1 as a stranger in somebody else's bridge vmbr7, which holds the NIC eth1.
"""

from __future__ import annotations

from dataclasses import replace

from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.rules import review
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    Desired,
    Edit,
    RemoveInterface,
    RemoveMember,
    apply_edits,
)
from networks.domain.visibility import OtherHosts, Visibility, visibility
from nodes.facts import Bridge, Link
from tests.domain import built, scheme
from tests.domain.scheme import A, interface

STRANGER, MEMBER = interface(2, "201", "eth1"), interface(2, "201")
C201 = ContainerKey(2, "201")
OTHER = OtherHosts(scheme.SEGMENT)

_BRIDGE = Link("vmbr7", "bridge", mtu=1500, up=True, bridge=Bridge(False, 0))
_FACTS = built.with_link(built.fresh_looks()[2], _BRIDGE)
for _port in ("eth1", "veth201.1"):
    _FACTS = built.changed(_FACTS, _port, master="vmbr7")
FOUND = scheme.inventory({**built.fresh_looks(), 2: _FACTS})
APART = replace(
    FOUND, containers=tuple(replace(c, joined=()) if c.key == C201 else c for c in FOUND.containers)
)
"""201 does not bridge its interfaces."""


def after(*edits: Edit) -> Visibility:
    return visibility(apply_edits(Desired(), edits), Desired(), APART)


def test_a_stranger_in_a_bridge_of_others_is_no_longer_in_it() -> None:
    was, becomes = after(), after(RemoveInterface(STRANGER))
    assert was.layer2_answer(C201, OTHER) == "yes"
    assert becomes.layer2_answer(C201, OTHER) == becomes.layer2_answer(STRANGER, OTHER) == "no"
    assert any(C201 in (*s.first.members, *s.second.members) for s in was.difference(becomes).lost)
    assert was.component_of(STRANGER) is not None and becomes.component_of(STRANGER) is None


def test_its_server_is_no_longer_at_the_other_end() -> None:
    server = ServerRef(2)
    was, becomes = after(RemoveInterface(STRANGER)), after(RemoveInterface(STRANGER), RemoveInterface(MEMBER))
    assert was.layer2_answer(C201, server) == was.layer2_answer(server, C201) == "yes"
    assert becomes.layer2_answer(C201, server) == becomes.layer2_answer(server, C201) == "no"
    assert becomes.host(C201) is not None


def test_it_closes_no_ring() -> None:
    """201 joins vmbr7, and by it the wire, to network A on the same wire."""
    closed: tuple[Edit, ...] = (CreateNetwork(A, "A"), Assign(A, 2, "eth0"), AddMember(A, MEMBER))
    opened = (*closed, RemoveInterface(STRANGER))
    assert "ring" in {p.code for p in review(Desired(), closed, FOUND)}
    assert "ring" not in {p.code for p in review(Desired(), opened, FOUND)}


def test_a_member_that_is_removed_loses_what_it_saw() -> None:
    before = apply_edits(Desired(), (CreateNetwork(A, "A"), Assign(A, 2, "eth0"), AddMember(A, MEMBER)))
    edits = (RemoveMember(MEMBER), RemoveInterface(MEMBER), RemoveInterface(STRANGER))
    found = scheme.inventory(built.fresh_looks())
    assert visibility(before, before, found).layer2_answer(C201, OTHER) == "yes"
    gone = visibility(apply_edits(before, edits), before, found)
    assert gone.layer2_answer(C201, OTHER) == gone.layer2_answer(C201, ServerRef(2)) == "no"
