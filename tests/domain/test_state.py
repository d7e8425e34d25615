"""Edits on desired state, and its indexed look-ups."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from random import Random

from hypothesis import given, settings

from networks.domain.state import (
    AddMember,
    Assign,
    Assignment,
    CreateNetwork,
    DeleteNetwork,
    DescribeNetwork,
    Desired,
    Edit,
    InterfaceKey,
    Member,
    Network,
    RemoveMember,
    Unassign,
    apply_edit,
    apply_edits,
)
from tests.domain import strategies
from tests.domain.scheme import DESIRED, A

ETH0 = InterfaceKey(1, "101", "eth0")


def after(*edits: Edit) -> Desired:
    return apply_edits(Desired(), edits)


def test_a_network_is_created_described_and_deleted() -> None:
    state = after(CreateNetwork("n", "N"), DescribeNetwork("n", "M", "text"))
    assert state.networks == (Network("n", "M", "text"),)
    assert apply_edit(state, DeleteNetwork("n")) == Desired()


def test_renaming_keeps_the_bridge() -> None:
    state = Desired(networks=(Network("n", "N", bridge="vn-n"),))
    assert apply_edit(state, DescribeNetwork("n", "M")).networks[0].bridge == "vn-n"


def test_a_new_assignment_replaces_the_old_and_forgets_an_adopted_bridge() -> None:
    state = Desired(assignments=(Assignment("n", 1, "eth0", "br0"),))
    assert apply_edit(state, Assign("n", 1, "eth1")).assignments == (Assignment("n", 1, "eth1"),)
    assert apply_edit(state, Unassign("n", 1)) == Desired()


def test_adding_a_member_twice_is_adding_it_once() -> None:
    assert after(AddMember("n", ETH0), AddMember("n", ETH0)).members == (Member("n", ETH0),)


def test_adding_to_another_network_does_not_move_unseen() -> None:
    assert len(after(AddMember("n", ETH0), AddMember("m", ETH0)).members) == 2


def test_edits_of_what_is_not_there_change_nothing() -> None:
    assert after(DescribeNetwork("n", "N"), DeleteNetwork("n"), RemoveMember(ETH0), Unassign("n", 1)) == (
        Desired()
    )


@settings(max_examples=60, deadline=None)
@given(strategies.seeds)
def test_many_edits_are_as_one_after_the_other(rng: Random) -> None:
    edits = strategies.any_edits(rng)
    at_once, in_turn = apply_edits(DESIRED, edits), reduce(apply_edit, edits, DESIRED)
    for part in ("networks", "assignments", "members", "vlans"):
        assert Counter(getattr(at_once, part)) == Counter(getattr(in_turn, part))


@settings(max_examples=30, deadline=None)
@given(strategies.seeds)
def test_look_ups_agree_with_reading_through(rng: Random) -> None:
    state = apply_edits(DESIRED, strategies.any_edits(rng))
    for network in {n.id for n in state.networks} | {A, "none"}:
        members = tuple(m for m in state.members if m.network == network)
        assert state.members_of(network) == members
        assert state.assignments_of(network) == tuple(a for a in state.assignments if a.network == network)
        assert state.servers_of(network) == {m.interface.server for m in members} | {
            a.server for a in state.assignments if a.network == network
        }
        for server in (1, 2, 3):
            assert state.members_of(network, server) == tuple(
                m for m in members if m.interface.server == server
            )
            assert (network in state.networks_on(server)) == (server in state.servers_of(network))
