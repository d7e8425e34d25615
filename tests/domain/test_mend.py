"""Ready edits for problems: what is offered is refused by no rule, and says whether it is enough."""

from __future__ import annotations

from networks.domain.intent import Intent, breaches
from networks.domain.mend import Way, ways_of_breach, ways_of_rule
from networks.domain.rules import problems_of, review
from networks.domain.state import (
    AddMember,
    Assign,
    CreateVlan,
    Desired,
    Edit,
    RemoveMember,
    apply_edits,
)
from networks.domain.visibility import visibility
from tests.domain import built, scheme
from tests.domain.scheme import A, B, C, D, interface

KNOWN = scheme.inventory(built.LOOKS)


def after(*edits: Edit) -> Desired:
    return apply_edits(built.DESIRED, edits)


def ways(code: str, state: Desired) -> tuple[Way, ...]:
    """The ways out of the only problem of that code."""
    (problem,) = (p for p in problems_of(state, KNOWN) if p.code == code)
    found = ways_of_rule(code, problem.subjects, state, KNOWN)
    for way in found:
        assert not [p for p in review(state, way.fix.edits, KNOWN) if p.severity == "refuse"]
    return found


def test_a_network_that_is_split_is_put_on_one_wire() -> None:
    found = ways("split", after(Assign(D, 3, "eth1")))
    assert [way.fix.text for way in found if way.mends] == [
        "Put Virtual Network D on “physical network”, VLAN 100",
        "Put Virtual Network D on “physical network”, untagged",
    ]
    assert found[0].fix.edits == (Assign(D, 3, "eth0.100"),)


def test_a_vlan_adapter_that_is_missing_is_made_for_it() -> None:
    """D also on server 1, where no adapter has VLAN 100."""
    found = ways("split", after(AddMember(D, interface(1, "102")), Assign(D, 1, "eth1")))
    assert found[0].fix.edits == (CreateVlan(1, "eth0.100", "eth0", 100), Assign(D, 1, "eth0.100"))
    assert found[0].mends


def test_a_local_network_on_two_servers_is_put_on_a_wire_that_both_have() -> None:
    state = after(RemoveMember(interface(3, "301")), AddMember(C, interface(3, "301")))
    found = ways("partitioned", state)
    assert found[0].mends
    assert set(found[0].fix.edits) == {Assign(C, 2, "eth1"), Assign(C, 3, "eth1")}


def test_an_interface_that_is_gone_is_taken_out() -> None:
    state = after(AddMember(C, interface(2, "299")))
    (way,) = ways("interface-gone", state)
    assert way.fix.edits == (RemoveMember(interface(2, "299")),) and way.mends


def test_a_network_on_an_adapter_that_is_gone_moves_to_one_on_the_wire_of_the_others() -> None:
    """Not local: its members are on two servers."""
    (way,) = ways("adapter-gone", after(Assign(A, 2, "eth9")))
    assert way.fix.edits == (Assign(A, 2, "eth1"),) and way.mends


def test_an_isolated_network_is_made_local() -> None:
    state = after(Assign(C, 2, "eth1"))
    (breach,) = breaches([Intent(C, "isolated")], visibility(state, state, KNOWN), state)
    (way,) = ways_of_breach(breach, state, KNOWN)
    assert way.fix.edits == (Assign(C, 2, None),) and way.mends


def test_members_that_are_apart_get_the_fixes_of_explain() -> None:
    state = after(Assign(D, 3, None), Assign(D, 2, None))
    (breach,) = breaches([Intent(D, "together")], visibility(state, state, KNOWN), state)
    for way in ways_of_breach(breach, state, KNOWN):
        assert way.fix.edits


def test_a_container_that_bridges_an_isolated_network_out_is_taken_out_of_it() -> None:
    (breach,) = breaches(
        [Intent(B, "isolated")], visibility(built.DESIRED, built.DESIRED, KNOWN), built.DESIRED
    )
    (way,) = ways_of_breach(breach, built.DESIRED, KNOWN)
    assert way.fix.edits == (RemoveMember(interface(2, "201", "eth1")),) and way.mends


def test_what_the_panel_has_no_edits_for_has_no_way() -> None:
    assert ways_of_rule("duplicate-ip", (interface(2, "202"),), built.DESIRED, KNOWN) == ()
