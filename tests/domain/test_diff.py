"""Edits between two states, and edits as sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given, settings

from networks.domain.diff import describe, edits_between
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DeleteVlan,
    DescribeNetwork,
    Desired,
    RemoveMember,
    Unassign,
    apply_edits,
)
from tests.domain import scheme, strategies
from tests.domain.scheme import DESIRED, EDITS, A, B, C, D, interface

FOUND = scheme.inventory()


def decided(state: Desired) -> dict[str, Counter[object]]:
    """What people decided, without order and without names that servers use."""
    return {
        "networks": Counter(replace(n, bridge="") for n in state.networks),
        "assignments": Counter(replace(a, bridge="") for a in state.assignments),
        "members": Counter(state.members),
        "vlans": Counter(state.vlans),
    }


def random_state(rng: Random) -> Desired:
    """A state that was reached by accepted drafts."""
    state = DESIRED
    for _ in range(rng.randint(0, 3)):
        state = apply_edits(state, strategies.draft(rng, state, FOUND)).without_errands()
    return state


@settings(max_examples=20, deadline=None)
@given(strategies.seeds)
def test_the_edits_between_two_states_lead_from_one_to_the_other(rng: Random) -> None:
    a, b = random_state(rng), random_state(rng)
    assert decided(apply_edits(a, edits_between(a, b))) == decided(b)
    assert decided(apply_edits(b, edits_between(b, a))) == decided(a)


@settings(max_examples=20, deadline=None)
@given(strategies.seeds)
def test_between_a_state_and_itself_is_nothing(rng: Random) -> None:
    state = random_state(rng)
    assert edits_between(state, state) == ()
    assert edits_between(state, replace(state, members=state.members[::-1])) == ()


@settings(max_examples=20, deadline=None)
@given(strategies.seeds)
def test_errands_of_a_draft_are_told_in_full(rng: Random) -> None:
    before = random_state(rng)
    after = apply_edits(before, strategies.draft(rng, before, FOUND))
    again = apply_edits(before, edits_between(before, after))
    assert (again.new_interfaces, again.gone_interfaces) == (after.new_interfaces, after.gone_interfaces)
    assert again.address_changes == after.address_changes


def test_names_of_bridges_are_no_edits() -> None:
    named = replace(DESIRED, networks=tuple(replace(n, bridge=f"vn-{n.name}") for n in DESIRED.networks))
    assert edits_between(DESIRED, named) == ()


def test_from_nothing_to_the_scheme_are_its_edits() -> None:
    assert set(edits_between(Desired(), DESIRED)) == set(EDITS)


@settings(max_examples=20, deadline=None)
@given(strategies.seeds)
def test_every_edit_has_a_sentence(rng: Random) -> None:
    for sentence in describe(strategies.any_edits(rng), DESIRED, FOUND):
        assert sentence[0].isupper() and sentence.endswith(".")


def test_edits_are_told_in_the_manuals_words() -> None:
    edits = (
        CreateNetwork("f", "Fee"),
        DescribeNetwork(A, "Aye"),
        DescribeNetwork(B, "B", "bridged by 201"),
        DescribeNetwork(C, "See", "local"),
        DeleteNetwork(D),
        Assign("f", 1, "eth1"),
        Assign(C, 2, None),
        Unassign(D, 3),
        AddMember("f", interface(1, "102")),
        RemoveMember(interface(2, "205")),
        RemoveMember(interface(2, "204")),
        AddMember(B, interface(2, "204")),
        CreateVlan(1, "eth0.7", "eth0", 7),
        DeleteVlan(2, "eth0.100"),
    )
    assert describe(edits, DESIRED, FOUND) == (
        "Create Virtual Network Fee.",
        "Rename Virtual Network A to Aye.",
        "Change the description of Virtual Network B.",
        "Rename Virtual Network C to See and change its description.",
        "Delete Virtual Network D.",
        "Assign Virtual Network Fee to eth1 of physical server server1.",
        "Make Virtual Network C local on physical server server2.",
        "Take back the assignment of Virtual Network D on physical server server3.",
        "Add eth0 of Container 102 (c102) on physical server server1 to Virtual Network Fee.",
        "Remove eth0 of Container 205 (c205) on physical server server2 from Virtual Network D.",
        "Move eth0 of Container 204 (c204) on physical server server2 from Virtual Network C to "
        "Virtual Network B.",
        "Create VLAN adapter eth0.7 with VLAN id 7 on eth0 of physical server server1.",
        "Delete VLAN adapter eth0.100 of physical server server2.",
    )
