"""Others have put another VLAN adapter in the place of the panel's, and it is in the network's bridge."""

from __future__ import annotations

from networks.domain.inventory import Inventory, NetworkRef
from networks.domain.rules import Problem, problems_of, review
from networks.domain.state import AdapterKey, AddMember, Assign, Desired, Edit, RemoveMember
from nodes.facts import Bridge, Link, Vlan
from tests.domain import scheme
from tests.domain.built import DESIRED, LOOKS, change, changed, lines, with_link
from tests.domain.scheme import A, C, D, interface

ANEW = changed(LOOKS[2], "eth0.100", vlan=Vlan("eth0", 200))
FOUND = scheme.inventory({**LOOKS, 2: ANEW})
SAID = (
    "Containers of Virtual Network D on physical server server2 would not be on VLAN 100 of eth0: "
    "eth0.100 is VLAN 200 on eth0 by now.",
    "Delete eth0.100 on the server; its repair makes the right one.",
)


def said(*edits: Edit, before: Desired = DESIRED, found: Inventory = FOUND) -> list[Problem]:
    return [p for p in review(before, edits, found) if p.code == "vlan-differs"]


def test_it_stands_among_the_problems_and_stops_no_other_edit() -> None:
    (problem,) = [p for p in problems_of(DESIRED, FOUND) if p.code == "vlan-differs"]
    assert (problem.text, problem.hint) == SAID
    assert problem.subjects == (NetworkRef(D), AdapterKey(2, "eth0.100"), interface(2, "205"))
    (other,) = said(RemoveMember(interface(2, "204")))
    assert (other.severity, other.existing) == ("warn", True)


def test_nobody_joins_and_whoever_is_there_may_leave() -> None:
    (joining,) = said(RemoveMember(interface(2, "204")), AddMember(D, interface(2, "204")))
    assert (joining.severity, joining.existing, joining.text) == ("refuse", False, SAID[0])
    assert said(RemoveMember(interface(2, "205"))) == []


def test_a_bridge_that_does_not_hold_it_puts_nobody_on_another_vlan() -> None:
    out = scheme.inventory({**LOOKS, 2: changed(ANEW, "eth0.100", master="")})
    assert said(AddMember(D, interface(2, "204")), found=out) == []


def test_no_network_adopts_the_bridge_that_holds_it() -> None:
    theirs = with_link(ANEW, Link("vmbr7", "bridge", up=True, bridge=Bridge(False, 0)))
    found = scheme.inventory({**LOOKS, 2: changed(theirs, "eth0.100", master="vmbr7")})
    (problem,) = said(Assign(D, 2, None), Assign(C, 2, "eth0.100"), found=found)
    assert problem.severity == "refuse" and NetworkRef(C) in problem.subjects


def test_a_container_that_is_out_of_the_bridge_is_not_put_into_it() -> None:
    facts = changed(ANEW, "veth205.0", master="")
    made = change(2, facts=facts)
    assert lines(made) == []
    assert "veth205.0 does not join vn-d: it would be on another VLAN there." in made.notes
    assert lines(change(2, facts=changed(LOOKS[2], "veth205.0", master=""))) == ["step port veth205.0 vn-d"]


def test_one_that_others_made_for_the_decided_vlan_is_as_good() -> None:
    assert not [p for p in problems_of(DESIRED, scheme.inventory(LOOKS)) if p.code == "vlan-differs"]
    assert said(AddMember(A, interface(1, "102")), found=scheme.inventory(LOOKS)) == []
