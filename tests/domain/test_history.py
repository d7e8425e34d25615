"""Undoing one Change while later ones stay."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from networks.domain.history import items, revert
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DeleteVlan,
    DescribeNetwork,
    Desired,
    Edit,
    InterfaceKey,
    RemoveMember,
    Unassign,
    apply_edits,
)

A, B = "net-a", "net-b"
WEB = InterfaceKey(1, "102", "eth0")


def after(*edits: Edit, state: Desired | None = None) -> Desired:
    return apply_edits(state or Desired(), edits)


def test_a_change_is_undone_where_nothing_was_changed_since() -> None:
    before = after(CreateNetwork(A, "A"))
    made = after(Assign(A, 1, "eth0"), AddMember(A, WEB), DescribeNetwork(A, "A", "web"), state=before)
    today = after(CreateNetwork(B, "B"), state=made)
    undoing = revert([(before, made)], today)
    assert (undoing.conflicts, undoing.undone) == ((), ())
    assert items(apply_edits(today, undoing.edits)) == items(after(CreateNetwork(B, "B"), state=before))


def test_what_was_changed_again_since_is_left_alone_and_told() -> None:
    before = after(CreateNetwork(A, "A"))
    made = after(Assign(A, 1, "eth0"), AddMember(A, WEB), state=before)
    today = after(Assign(A, 1, "eth1"), state=made)
    undoing = revert([(before, made)], today)
    assert undoing.edits == (RemoveMember(WEB),)
    assert undoing.conflicts == (Unassign(A, 1),)


def test_what_is_as_before_already_needs_nothing() -> None:
    before = after(CreateNetwork(A, "A"))
    made = after(Assign(A, 1, "eth0"), state=before)
    undoing = revert([(before, made)], before)
    assert (undoing.edits, undoing.conflicts, undoing.undone) == ((), (), (Unassign(A, 1),))


def test_a_network_that_was_deleted_since_takes_nothing_back() -> None:
    before = after(CreateNetwork(A, "A"), Assign(A, 1, "eth0"), AddMember(A, WEB))
    made = after(Unassign(A, 1), RemoveMember(WEB), state=before)
    today = after(DeleteNetwork(A), state=made)
    undoing = revert([(before, made)], today)
    assert undoing.edits == ()
    assert set(undoing.conflicts) == {Assign(A, 1, "eth0"), AddMember(A, WEB)}


def test_a_deleted_network_comes_back_with_what_it_had() -> None:
    before = after(CreateNetwork(A, "A", "web"), Assign(A, 1, None), AddMember(A, WEB))
    made = after(Unassign(A, 1), RemoveMember(WEB), DeleteNetwork(A), state=before)
    undoing = revert([(before, made)], made)
    assert items(apply_edits(made, undoing.edits)) == items(before)


def test_an_interface_goes_back_to_the_network_it_came_from() -> None:
    before = after(CreateNetwork(A, "A"), CreateNetwork(B, "B"), AddMember(A, WEB))
    made = after(RemoveMember(WEB), AddMember(B, WEB), state=before)
    undoing = revert([(before, made)], made)
    assert undoing.edits == (RemoveMember(WEB), AddMember(A, WEB))


def test_a_vlan_adapter_comes_back_as_it_was() -> None:
    before = after(CreateVlan(1, "eth0.100", "eth0", 100))
    made = after(DeleteVlan(1, "eth0.100"), state=before)
    assert revert([(before, made)], made).edits == (CreateVlan(1, "eth0.100", "eth0", 100),)


def test_a_change_in_waves_is_undone_as_a_whole_around_what_others_decided_between() -> None:
    start = after(CreateNetwork(A, "A"))
    one = after(Assign(A, 1, "eth0"), state=start)
    others = after(CreateNetwork(B, "B"), state=one)
    two = after(Assign(A, 2, "eth0"), state=others)
    undoing = revert([(start, one), (others, two)], two)
    assert set(undoing.edits) == {Unassign(A, 1), Unassign(A, 2)}


edits = st.lists(
    st.one_of(
        st.builds(CreateNetwork, st.sampled_from([A, B]), st.sampled_from(["A", "B"]), st.just("")),
        st.builds(DescribeNetwork, st.sampled_from([A, B]), st.sampled_from(["A", "B"]), st.just("new")),
        st.builds(DeleteNetwork, st.sampled_from([A, B])),
        st.builds(Assign, st.sampled_from([A, B]), st.integers(1, 2), st.sampled_from([None, "eth0"])),
        st.builds(Unassign, st.sampled_from([A, B]), st.integers(1, 2)),
        st.builds(AddMember, st.sampled_from([A, B]), st.just(WEB)),
        st.builds(RemoveMember, st.just(WEB)),
    ),
    max_size=8,
)


def decided(state: Desired, wanted: list[Edit]) -> Desired:
    """The edits that could be decided one by one: each network once, none of what is not there."""
    for edit in wanted:
        there = {n.id for n in state.networks}
        network = getattr(edit, "network", None)
        if isinstance(edit, CreateNetwork) and edit.id in there:
            continue
        if isinstance(edit, DeleteNetwork) and state.servers_of(edit.id):
            continue
        if network is not None and network not in there:
            continue
        if isinstance(edit, AddMember) and state.memberships(edit.interface):
            continue
        state = apply_edits(state, [edit])
    return state


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(edits, edits, edits)
def test_undoing_never_touches_what_was_changed_since(
    first: list[Edit], second: list[Edit], third: list[Edit]
) -> None:
    before = decided(Desired(), first)
    made = decided(before, second)
    today = decided(made, third)
    undoing = revert([(before, made)], today)
    result = items(apply_edits(today, undoing.edits))
    was, became, now = items(before), items(made), items(today)
    for item in {**was, **became, **now, **result}:
        if became.get(item) == was.get(item) or now.get(item) != became.get(item):
            assert result.get(item) == now.get(item), item
        else:
            assert result.get(item) in (was.get(item), now.get(item)), item


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(edits, edits)
def test_undoing_the_last_change_gives_what_was_before(first: list[Edit], second: list[Edit]) -> None:
    before = decided(Desired(), first)
    made = decided(before, second)
    undoing = revert([(before, made)], made)
    assert undoing.conflicts == ()
    assert items(apply_edits(made, undoing.edits)) == items(before)
