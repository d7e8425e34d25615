"""Who goes in which wave, and what each wave decides."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from networks.domain.inventory import AdapterView, ContainerView, InterfaceView, Inventory, ServerView
from networks.domain.rules import review
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    DeleteNetwork,
    DescribeNetwork,
    Desired,
    Edit,
    InterfaceKey,
    RemoveMember,
    ServerId,
    Unassign,
    apply_edits,
)
from networks.domain.waves import (
    ALL_AT_ONCE,
    MOST,
    default_width,
    edits_of_wave,
    waves,
    widths_offered,
)

A, B = "net-a", "net-b"


def known(count: int) -> Inventory:
    """Servers 1 to `count`, each with eth0 and container 101."""
    ids = range(1, count + 1)
    return Inventory(
        servers=tuple(ServerView(n, f"server{n}") for n in ids),
        adapters=tuple(AdapterView(n, "eth0", segment=1) for n in ids),
        containers=tuple(ContainerView(n, "101", status="running") for n in ids),
        interfaces=tuple(InterfaceView(key(n)) for n in ids),
    )


def key(server: ServerId) -> InterfaceKey:
    return InterfaceKey(server, "101", "eth0")


def everywhere(count: int, network: str = A) -> list[Edit]:
    ids = range(1, count + 1)
    return [edit for n in ids for edit in (Assign(network, n, "eth0"), AddMember(network, key(n)))]


def decided(edits: list[Edit], cut: tuple[tuple[ServerId, ...], ...]) -> list[tuple[Edit, ...]]:
    wave_of = {server: number for number, wave in enumerate(cut, 1) for server in wave}
    return [edits_of_wave(edits, number, wave_of, len(cut)) for number in range(1, len(cut) + 1)]


def test_one_server_goes_first_and_the_others_follow_in_the_chosen_width() -> None:
    edits = [CreateNetwork(A, "A"), *everywhere(12)]
    cut = waves(edits, Desired(), range(1, 13), 5, known(12))
    assert cut == ((1,), (2, 3, 4, 5, 6), (7, 8, 9, 10, 11), (12,))


def test_all_at_once_is_one_wave_and_so_is_a_single_server() -> None:
    edits = [CreateNetwork(A, "A"), *everywhere(3)]
    assert waves(edits, Desired(), [1, 2, 3], ALL_AT_ONCE, known(3)) == ((1, 2, 3),)
    assert waves(edits, Desired(), [1], 5, known(3)) == ((1,),)
    assert waves([CreateNetwork(A, "A")], Desired(), [], 5, Inventory()) == ((),)


def test_a_network_is_made_with_the_first_wave_and_deleted_with_the_last() -> None:
    before = apply_edits(Desired(), [CreateNetwork(B, "B"), *everywhere(3, B)])
    leave = [edit for n in (1, 2, 3) for edit in (Unassign(B, n), RemoveMember(key(n)))]
    edits: list[Edit] = [*leave, DeleteNetwork(B), CreateNetwork(A, "A"), *everywhere(3)]
    cut = waves(edits, before, [1, 2, 3], 5, known(3))
    parts = decided(edits, cut)
    assert CreateNetwork(A, "A") in parts[0]
    assert DeleteNetwork(B) in parts[-1] and len(parts) > 1


def test_a_wave_that_would_break_a_rule_is_joined_with_the_next() -> None:
    """The name is free only when the old network is deleted, so nothing can be split."""
    before = apply_edits(Desired(), [CreateNetwork(B, "A"), *everywhere(3, B)])
    leave = [edit for n in (1, 2, 3) for edit in (Unassign(B, n), RemoveMember(key(n)))]
    edits: list[Edit] = [*leave, DeleteNetwork(B), CreateNetwork(A, "A"), *everywhere(3)]
    assert waves(edits, before, [1, 2, 3], 5, known(3)) == ((1, 2, 3),)


def test_a_local_network_is_assigned_at_home_before_it_reaches_out() -> None:
    """Server 3 has it local; the others can join only when it is bridged there."""
    before = apply_edits(Desired(), [CreateNetwork(A, "A"), Assign(A, 3, None), AddMember(A, key(3))])
    edits: list[Edit] = [
        Assign(A, 3, "eth0"),
        *(e for n in (1, 2) for e in (Assign(A, n, "eth0"), AddMember(A, key(n)))),
    ]
    assert waves(edits, before, [1, 2, 3], 1, known(3)) == ((3,), (2,), (1,))


def test_a_server_that_is_left_out_is_decided_with_the_last_wave() -> None:
    edits = [CreateNetwork(A, "A"), *everywhere(4)]
    cut = waves(edits, Desired(), [1, 2, 3], 1, known(4), left_out=[4])
    assert cut == ((1,), (2,), (3,))
    assert edits_of_wave(edits, 3, {1: 1, 2: 2, 3: 3, 4: 3}, 3) == tuple(everywhere(4)[4:])


def test_a_server_that_needs_nothing_is_written_down_with_the_first_wave() -> None:
    edits = everywhere(2)
    assert edits_of_wave(edits, 1, {1: 2}, 2) == tuple(everywhere(2)[2:])


@pytest.mark.parametrize(("servers", "width"), [(1, 0), (2, 0), (5, 0), (6, 5), (22, 20), (1000, 20)])
def test_few_servers_are_one_wave_by_themselves(servers: int, width: int) -> None:
    assert default_width(servers) == width


def test_only_widths_that_make_a_difference_are_offered() -> None:
    assert widths_offered(1) == (ALL_AT_ONCE,)
    assert widths_offered(2) == (ALL_AT_ONCE, 5)
    assert widths_offered(12) == (ALL_AT_ONCE, 5, 10)
    assert widths_offered(1000) == (5, 10, 20, 50)
    assert max(widths_offered(1000)) <= MOST
    assert all(default_width(n) in widths_offered(n) for n in range(1, 1001))


@st.composite
def drafts(draw: st.DrawFn) -> tuple[Desired, list[Edit], list[ServerId]]:
    """A decided state and edits on top of it, both without a refusal, on up to five servers."""
    count = draw(st.integers(2, 5))
    state = Desired()
    edits: list[Edit] = []
    for _ in range(2):
        edits = []
        for network in (A, B):
            if state.network(network) is None:
                edits.append(CreateNetwork(network, network))
            elif draw(st.booleans()):
                edits.append(DescribeNetwork(network, f"{network}{draw(st.integers(1, 2))}"))
        for server in range(1, count + 1):
            if held := state.memberships(key(server)):
                edits.append(RemoveMember(key(server)))
            edits += [Unassign(a.network, a.server) for a in state.assignments_on(server)]
            if network := draw(st.sampled_from([A, B, ""])):
                local = not held and draw(st.booleans())
                edits += [Assign(network, server, None if local else "eth0"), AddMember(network, key(server))]
        if any(p.severity == "refuse" for p in review(state, edits, known(count))):
            edits = [e for e in edits if isinstance(e, CreateNetwork | RemoveMember | Unassign)]
        last, state = state, apply_edits(state, edits)
    return last, edits, draw(st.permutations(range(1, count + 1)))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(drafts(), st.integers(1, 3))
def test_every_wave_ends_in_a_state_that_the_rules_allow_and_the_last_in_the_whole(
    draft: tuple[Desired, list[Edit], list[ServerId]], width: int
) -> None:
    before, edits, servers = draft
    inventory = known(len(servers))
    cut = waves(edits, before, servers, width, inventory)
    assert sorted(server for wave in cut for server in wave) == sorted(servers)
    state = before
    for part in decided(edits, cut):
        refused = [p for p in review(state, part, inventory) if p.severity == "refuse"]
        assert not refused or any(p.severity == "refuse" for p in review(before, edits, inventory))
        state = apply_edits(state, part)
    whole = apply_edits(before, edits)
    assert set(state.assignments) == set(whole.assignments)
    assert set(state.members) == set(whole.members)
    assert set(state.networks) == set(whole.networks)
