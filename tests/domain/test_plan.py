"""Plans for single servers: what is done, in which order, and what is left alone with a note."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from networks.domain.inventory import Inventory, ServerView
from networks.domain.plan import NotLookedAt, plan
from networks.domain.state import (
    AddMember,
    Assign,
    DeleteNetwork,
    DeleteVlan,
    Desired,
    RemoveMember,
    Unassign,
    VlanAdapter,
    apply_edits,
)
from networks.domain.wanted import Adopted, record_adopted
from nodes.facts import Bridge, Link, ServerFacts, Transaction, Vlan
from tests.domain import scheme
from tests.domain.built import (
    DESIRED,
    LOOKS,
    change,
    changed,
    lines,
    named,
    plan_on,
    stopped,
    with_container,
    with_interface,
    with_link,
    without_link,
)
from tests.domain.scheme import A, B, C, D, E, interface
from tests.domain.simulator import simulate

PLANS = Path(__file__).parent / "plans"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_scheme_is_planned_as_written_down(number: int) -> None:
    looks = scheme.looks()
    desired = named(scheme.DESIRED, scheme.inventory())
    made = plan_on(number, looks[number], desired, Desired(), looks)
    assert made.host.render() == (PLANS / f"server{number}.txt").read_text()
    assert made.notes == ()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_second_apply_runs_nothing(number: int) -> None:
    made = change(number)
    assert made.is_empty and lines(made) == []


def test_a_network_moves_to_another_adapter_with_its_bridge() -> None:
    assert lines(change(1, Assign(A, 1, "eth1"))) == ["step bridge vn-a eth1"]


def test_back_to_local_releases_the_adapter() -> None:
    edits = (RemoveMember(interface(2, "201", "eth0")), Unassign(A, 2), Assign(A, 1, None))
    assert lines(change(1, *edits)) == ["step bridge vn-a -"]
    assert lines(change(2, *edits)) == ["step rmbridge vn-a eth0", "save 4 201 eth0 veth201.0 -"]


def test_two_networks_swap_their_adapters() -> None:
    swap = lines(change(2, Assign(A, 2, "eth0.100"), Assign(D, 2, "eth0")))
    assert sorted(swap) == ["step bridge vn-a eth0.100", "step bridge vn-d eth0"]


def test_an_adapter_is_free_before_another_bridge_takes_it() -> None:
    released = lines(change(2, Assign(D, 2, None), Assign(C, 2, "eth0.100")))
    assert released == ["step bridge vn-d -", "step bridge vn-c eth0.100"]
    removed = lines(change(2, Unassign(D, 2), RemoveMember(interface(2, "205")), Assign(C, 2, "eth0.100")))
    assert removed[:2] == ["step rmbridge vn-d eth0.100", "step bridge vn-c eth0.100"]


def test_a_deleted_network_takes_its_vlan_adapter_last() -> None:
    edits = (
        *(RemoveMember(member.interface) for member in DESIRED.members_of(D)),
        *(Unassign(D, number) for number in (2, 3)),
        *(DeleteVlan(number, "eth0.100") for number in (2, 3)),
        DeleteNetwork(D),
    )
    made = change(3, *edits)
    assert lines(made) == [
        "step rmbridge vn-d eth0.100",
        "step rmvlan eth0.100",
        "save 7 301 eth0 veth72012d00 -",
    ]
    assert [" ".join(keep.words()) for keep in made.host.keeps] == ["keep bridge vn-e -"]


def test_a_member_moves_in_one_step() -> None:
    moved = change(2, RemoveMember(interface(2, "204")), AddMember(B, interface(2, "204")))
    assert lines(moved) == ["step port veth204.0 vn-b", "save 4 204 eth0 veth204.0 vn-b"]


def test_a_member_that_leaves_is_in_no_bridge() -> None:
    left = change(2, RemoveMember(interface(2, "204")))
    assert lines(left) == ["step port veth204.0 -", "save 4 204 eth0 veth204.0 -"]


def test_a_stopped_container_is_only_saved() -> None:
    facts = stopped(LOOKS[2], "204")
    made = change(2, RemoveMember(interface(2, "204")), AddMember(B, interface(2, "204")), facts=facts)
    assert lines(made) == ["save 4 204 eth0 veth204.0 vn-b"]
    assert made.notes == ()


def test_a_bridge_that_holds_the_adapter_is_adopted_and_left_as_it_is() -> None:
    made = change(3, Assign(E, 3, "eth0"))
    assert made.adopted == (Adopted(E, "br0"),)
    assert lines(made)[:3] == [
        "step adopt br0 eth0",
        "step port veth72012e00 br0",
        "step port veth72012f00 br0",
    ]
    assert "keep adopted br0 eth0" in made.host.render()
    recorded = record_adopted(apply_edits(DESIRED, (Assign(E, 3, "eth0"),)), 3, made.adopted)
    assignment = recorded.assignment(E, 3)
    assert assignment is not None and assignment.bridge == "br0"


def adopted() -> tuple[Desired, ServerFacts]:
    """E adopted br0 on server 3."""
    made = change(3, Assign(E, 3, "eth0"))
    desired = record_adopted(apply_edits(DESIRED, (Assign(E, 3, "eth0"),)), 3, made.adopted)
    return desired, simulate(LOOKS[3], made.host)


def test_an_adopted_bridge_keeps_its_adapter_when_the_network_leaves() -> None:
    before, facts = adopted()
    after = apply_edits(before, (Assign(E, 3, None),))
    made = plan_on(3, facts, after, before, LOOKS)
    assert lines(made) == [
        "step bridge vn-e -",
        "step port veth72012e00 vn-e",
        "step port veth72012f00 vn-e",
        "save 7 302 eth0 veth72012e00 vn-e",
        "save 7 303 eth0 veth72012f00 vn-e",
    ]


def test_an_adopted_bridge_that_lost_its_adapter_is_not_touched() -> None:
    desired, facts = adopted()
    facts = changed(facts, "eth0", master="")
    made = plan_on(3, facts, desired, desired, LOOKS)
    assert lines(made) == []
    assert "not in br0 any more" in made.notes[0]


def test_ports_of_others_in_an_adopted_bridge_are_told() -> None:
    facts = with_link(LOOKS[3], Link("tap9", "tap", up=True, master="br0"))
    made = change(3, Assign(E, 3, "eth0"), facts=facts)
    assert made.notes == ("br0 also holds tap9, which the panel does not manage.",)


def test_a_port_taken_out_by_hand_is_put_back() -> None:
    made = change(1, facts=changed(LOOKS[1], "veth102.0", master=""))
    assert lines(made) == ["step port veth102.0 vn-a"]


@pytest.mark.parametrize(
    "fields",
    [
        {"bridge": Bridge(True, 0, True)},
        {"bridge": Bridge(False, 15, True)},
        {"bridge": Bridge(False, 0, False)},
        {"mac": "02:ff:ff:ff:ff:ff"},
        {"mtu": 1400},
        {"up": False},
    ],
    ids=str,
)
def test_a_bridge_with_other_settings_is_set_again(fields: dict[str, object]) -> None:
    assert lines(change(1, facts=changed(LOOKS[1], "vn-a", **fields))) == ["step bridge vn-a eth0"]


@pytest.mark.parametrize("fields", [{"ipv6_disabled": False}, {"arp_ignore": 0}], ids=str)
def test_a_bridge_that_answers_for_the_server_is_isolated_again(fields: dict[str, object]) -> None:
    assert lines(change(2, facts=changed(LOOKS[2], "vn-c", **fields))) == ["step bridge vn-c -"]
    assert lines(change(2, facts=changed(LOOKS[2], "vn-a", **fields))) == []


def test_an_adapter_put_into_our_bridge_by_hand_stays_with_a_note() -> None:
    made = change(1, facts=changed(LOOKS[1], "eth1", master="vn-a"))
    assert lines(made) == []
    assert made.notes == ("vn-a holds eth1, which the panel did not put there: it stays.",)


def test_a_former_member_that_others_bridged_is_left_to_them() -> None:
    facts = changed(LOOKS[2], "veth204.0", master="vmbr7")
    facts = with_link(facts, Link("vmbr7", "bridge", up=True, bridge=Bridge(False, 0)))
    facts = with_interface(facts, "204", lambda i: replace(i, configured_bridge="vmbr7"))
    assert lines(change(2, RemoveMember(interface(2, "204")), facts=facts)) == []


def test_a_container_that_moved_away_is_passed_over() -> None:
    facts = replace(LOOKS[1], containers=tuple(c for c in LOOKS[1].containers if c.ctid != "102"))
    made = change(1, facts=without_link(facts, "veth102.0"))
    assert lines(made) == []
    assert made.notes == ("eth0 of Container 102 is not on this server: passed over.",)


def test_a_running_container_without_its_host_side_is_only_saved() -> None:
    facts = without_link(LOOKS[2], "veth204.0")
    made = change(2, RemoveMember(interface(2, "204")), AddMember(B, interface(2, "204")), facts=facts)
    assert lines(made) == ["save 4 204 eth0 veth204.0 vn-b"]
    assert "joins at the Container's next start" in made.notes[0]


def test_a_configuration_that_claims_the_servers_nic_gets_nothing() -> None:
    facts = with_interface(LOOKS[2], "204", lambda i: replace(i, host_ifname="eth1"))
    for there in (facts, with_container(facts, "204", lambda c: replace(c, status="stopped"))):
        made = change(2, RemoveMember(interface(2, "204")), AddMember(B, interface(2, "204")), facts=there)
        assert lines(made) == []
        assert any("but eth1 is the server's own" in note for note in made.notes)


def test_a_stopped_container_does_not_move_another_ones_port() -> None:
    facts = stopped(LOOKS[2], "204")
    facts = with_interface(facts, "204", lambda i: replace(i, host_ifname="veth203.0"))
    made = change(2, RemoveMember(interface(2, "204")), AddMember(B, interface(2, "204")), facts=facts)
    assert lines(made) == ["save 4 204 eth0 veth203.0 vn-b"], "the server moves no link for a stopped one"


def test_two_interfaces_that_claim_one_port_move_it_once() -> None:
    facts = with_interface(LOOKS[2], "204", lambda i: replace(i, host_ifname="veth203.0"))
    edits = [RemoveMember(interface(2, c)) for c in ("203", "204")]
    edits += [AddMember(B, interface(2, c)) for c in ("203", "204")]  # type: ignore[list-item]
    made = change(2, *edits, Unassign(C, 2), facts=facts)
    assert lines(made).count("step port veth203.0 vn-b") == 1
    assert "Two interfaces claim veth203.0: only the first is moved." in made.notes


def test_an_adapter_that_is_gone_does_not_block_the_rest() -> None:
    facts = without_link(LOOKS[1], "eth0")
    facts = changed(facts, "veth102.0", master="")
    made = change(1, facts=facts)
    assert lines(made) == ["step port veth102.0 vn-a"]
    assert made.notes == ("eth0 is not there, so vn-a cannot be bridged to it.",)
    assert "keep bridge vn-a eth0" in made.host.render()


def test_without_adapter_and_bridge_its_members_wait() -> None:
    facts = changed(without_link(LOOKS[1], "eth0", "vn-a"), "veth102.0", master="")
    made = change(1, facts=facts)
    assert lines(made) == []
    assert "vn-a is not there, so veth102.0 cannot join it." in made.notes


def test_a_vlan_adapter_is_made_again_and_brought_up() -> None:
    assert lines(change(2, facts=changed(LOOKS[2], "eth0.100", up=False)))[0] == (
        "step vlan eth0.100 eth0 100"
    )
    assert lines(change(2, facts=without_link(LOOKS[2], "eth0.100"))) == [
        "step vlan eth0.100 eth0 100",
        "step bridge vn-d eth0.100",
    ]


def test_a_vlan_adapter_that_others_made_anew_is_left_alone() -> None:
    facts = changed(LOOKS[2], "eth0.100", vlan=Vlan("eth0", 200))
    edits = (Unassign(D, 2), RemoveMember(interface(2, "205")))
    kept = change(2, *edits, facts=facts)
    assert not [line for line in lines(kept) if "vlan" in line]
    assert kept.notes == ("eth0.100 is not VLAN 100 on eth0: it is left as it is.",)
    gone = change(2, *edits, DeleteVlan(2, "eth0.100"), facts=facts)
    assert not [line for line in lines(gone) if "vlan" in line]


@pytest.mark.parametrize("anew", [Vlan("eth0", 200), Vlan("eth1", 100), None], ids=str)
def test_no_network_is_bridged_to_a_vlan_adapter_that_others_made_anew(anew: Vlan | None) -> None:
    """Its containers would be on the other VLAN."""
    facts = changed(LOOKS[2], "eth0.100", vlan=anew, master="", kind="vlan" if anew else "nic")
    for edits in ((), (RemoveMember(interface(2, "204")),)):
        made = change(2, *edits, facts=facts)
        assert not [line for line in lines(made) if "vn-d" in line or "eth0.100" in line]
        assert made.notes == (
            "eth0.100 is not VLAN 100 on eth0: it is left as it is.",
            "vn-d cannot be bridged to eth0.100 until that is VLAN 100 on eth0 again.",
        )
        assert "keep bridge vn-d eth0.100" in made.host.render()
    moved = change(2, Assign(D, 2, None), Assign(C, 2, "eth0.100"), facts=facts)
    assert "step bridge vn-c eth0.100" not in lines(moved)


def test_a_vlan_adapter_made_anew_that_was_put_back_into_its_bridge_stays_there_with_a_note() -> None:
    facts = changed(LOOKS[2], "eth0.100", vlan=Vlan("eth0", 200))
    facts = changed(facts, "vn-d", mtu=1400)
    made = change(2, facts=facts)
    assert lines(made) == []
    assert made.notes == (
        "eth0.100 is not VLAN 100 on eth0: it is left as it is.",
        "vn-d holds eth0.100 and keeps it, though that is not VLAN 100 on eth0.",
    )


def test_a_vlan_adapter_made_anew_in_a_bridge_of_others_is_told_where_that_is_adopted() -> None:
    facts = with_link(LOOKS[2], Link("vmbr7", "bridge", up=True, bridge=Bridge(False, 0)))
    facts = changed(facts, "eth0.100", vlan=Vlan("eth0", 200), master="vmbr7")
    made = change(2, Assign(D, 2, None), Assign(C, 2, "eth0.100"), facts=facts)
    assert "vmbr7 holds eth0.100 and keeps it, though that is not VLAN 100 on eth0." in made.notes


def test_a_vlan_adapter_that_others_bridged_stays() -> None:
    facts = with_link(LOOKS[2], Link("vmbr7", "bridge", up=True, bridge=Bridge(False, 0)))
    facts = changed(facts, "eth0.100", master="vmbr7")
    edits = (Unassign(D, 2), RemoveMember(interface(2, "205")), DeleteVlan(2, "eth0.100"))
    made = change(2, *edits, facts=facts)
    assert not [line for line in lines(made) if "rmvlan" in line]
    assert "eth0.100 stays: bridge vmbr7, which is not the panel's, holds it." in made.notes


def test_a_vlan_adapter_that_others_stand_on_stays() -> None:
    """The rules refuse it, but one that was deleted while its server was away is known by the record only."""
    facts = with_link(LOOKS[2], Link("eth0.100.5", "vlan", up=True, vlan=Vlan("eth0.100", 5)))
    edits = (Unassign(D, 2), RemoveMember(interface(2, "205")), DeleteVlan(2, "eth0.100"))
    made = change(2, *edits, facts=facts)
    assert "step rmbridge vn-d eth0.100" in lines(made)
    assert not [line for line in lines(made) if "rmvlan" in line]
    assert made.notes == ("eth0.100 stays: eth0.100.5 stands on it.",)


@pytest.mark.parametrize(
    "lower", [Vlan("eth0", 5), Vlan("a.7", 5)], ids=["a stack", "a circle that cannot be"]
)
def test_vlan_adapters_that_stand_on_each_other_go_from_the_top(lower: Vlan) -> None:
    links = Link("z.5", "vlan", up=True, vlan=lower), Link("a.7", "vlan", up=True, vlan=Vlan("z.5", 7))
    facts = with_link(with_link(LOOKS[2], links[0]), links[1])
    vlans = tuple(VlanAdapter(2, link.name, link.vlan.base, link.vlan.vid) for link in links if link.vlan)
    made = plan_on(2, facts, DESIRED, replace(DESIRED, vlans=(*DESIRED.vlans, *vlans)), LOOKS)
    expected = ["step rmvlan a.7", "step rmvlan z.5"] if lower.base == "eth0" else []
    assert lines(made) == expected


@pytest.mark.parametrize("name", ["", "eth0 -", "a;reboot", "x" * 16, "-rf", "lo"])
def test_a_name_that_cannot_be_told_is_never_sent(name: str) -> None:
    facts = with_interface(LOOKS[2], "204", lambda i: replace(i, host_ifname=name))
    made = change(2, RemoveMember(interface(2, "204")), facts=facts)
    assert lines(made) == []
    assert made.notes


def test_a_container_that_is_listed_twice_is_planned_once() -> None:
    twice = [c for c in LOOKS[2].containers if c.ctid == "204"]
    facts = replace(LOOKS[2], containers=(*LOOKS[2].containers, *twice))
    made = change(2, RemoveMember(interface(2, "204")), facts=facts)
    assert lines(made) == ["step port veth204.0 -", "save 4 204 eth0 veth204.0 -"]


def test_a_strangers_saved_bridge_is_cleared_before_the_bridge_goes() -> None:
    facts = with_container(
        LOOKS[3],
        "301",
        lambda c: replace(
            c, interfaces=(*c.interfaces, replace(c.interfaces[0], ifname="eth1", host_ifname="vethx"))
        ),
    )
    made = change(3, RemoveMember(interface(3, "301")), Unassign(D, 3), facts=facts)
    assert "save 7 301 eth1 vethx -" in lines(made)
    assert any("though it is no member" in note for note in made.notes)


def test_ports_of_others_in_a_bridge_that_goes_are_told() -> None:
    facts = with_link(LOOKS[3], Link("tap9", "tap", up=True, master="vn-d"))
    made = change(3, RemoveMember(interface(3, "301")), Unassign(D, 3), facts=facts)
    assert "tap9 leaves vn-d, which goes." in made.notes


def test_an_interface_that_is_not_saved_is_told() -> None:
    facts = with_interface(LOOKS[2], "204", lambda i: replace(i, saved=False))
    made = change(2, RemoveMember(interface(2, "204")), facts=facts)
    assert lines(made) == ["step port veth204.0 -"]
    assert "lost at the next restart" in made.notes[0]


def test_no_vzctl_means_nothing_saved() -> None:
    made = change(2, RemoveMember(interface(2, "204")), facts=replace(LOOKS[2], vzctl_dialect=None))
    assert lines(made) == ["step port veth204.0 -"]
    assert made.notes


def test_what_was_deleted_while_the_server_was_away_goes_by_its_own_record() -> None:
    """The panel's state has forgotten network D; the server's committed record has not."""
    after = apply_edits(
        DESIRED,
        (
            *(RemoveMember(member.interface) for member in DESIRED.members_of(D)),
            *(Unassign(D, number) for number in (2, 3)),
            *(DeleteVlan(number, "eth0.100") for number in (2, 3)),
            DeleteNetwork(D),
        ),
    )
    made = plan_on(3, LOOKS[3], after, after, LOOKS)
    assert [" ".join(step.words()) for step in made.host.steps] == [
        "step rmbridge vn-d eth0.100",
        "step rmvlan eth0.100",
    ]
    assert "save 7 301 eth0 veth72012d00 -" in lines(made)


def test_a_lost_record_is_written_anew() -> None:
    made = change(1, facts=replace(LOOKS[1], transaction=Transaction()))
    assert lines(made) == [] and not made.is_empty


def test_a_windows_server_gets_no_plan() -> None:
    made = plan(ServerView(9, "win", os="windows"), DESIRED, DESIRED, Inventory())
    assert made.is_empty and made.notes == ("win runs Windows and is only shown.",)


def test_no_plan_without_a_look() -> None:
    with pytest.raises(NotLookedAt):
        plan(ServerView(1, "server1"), DESIRED, DESIRED, Inventory())


def recorded(save: str) -> ServerFacts:
    """Server 2 whose record has vzctl save something that its configuration does not say, or no more."""
    facts = LOOKS[2]
    lines = (*(line for line in facts.transaction.committed if not line.startswith("save ")), save)
    return replace(facts, transaction=replace(facts.transaction, committed=lines))


def test_what_vzctl_has_yet_to_save_is_overruled_by_what_is_decided_since() -> None:
    """The record's line would be done after this plan's commit, as it was carried along."""
    facts = recorded("save 4 201 eth0 veth201.0 -")
    again = plan_on(2, facts, DESIRED, DESIRED, LOOKS)
    assert "save 4 201 eth0 veth201.0 vn-a" in again.host.render()

    cleared = with_interface(facts, "201", lambda i: replace(i, configured_bridge=""))
    unsaved = replace(cleared, transaction=recorded("save 4 201 eth0 veth201.0 vn-a").transaction)
    left = apply_edits(DESIRED, (RemoveMember(interface(2, "201", "eth0")),))
    leaves = plan_on(2, unsaved, left, DESIRED, LOOKS)
    assert "save 4 201 eth0 veth201.0 -" in leaves.host.render()


def test_what_was_to_be_saved_of_one_that_leaves_is_dropped_where_its_bridge_is_somebody_elses() -> None:
    """Saved after all, the container would start in the network that it was taken out of."""
    facts = recorded("save 4 201 eth0 veth201.0 vn-a")
    facts = with_interface(facts, "201", lambda i: replace(i, configured_bridge="br-theirs"))
    left = apply_edits(DESIRED, (RemoveMember(interface(2, "201", "eth0")),))
    made = plan_on(2, facts, left, DESIRED, LOOKS)
    assert "place 4 201 eth0 -" in made.host.render() and "save 4 201 eth0" not in made.host.render()


@pytest.mark.parametrize("network", ["", "A", "C"])
def test_an_interface_that_vzctl_has_yet_to_make_is_made_where_it_belongs_by_now(network: str) -> None:
    facts = LOOKS[2]
    lines = (*facts.transaction.committed, "netif_add 4 202 eth7 - veth202.7 vn-a")
    facts = replace(facts, transaction=replace(facts.transaction, committed=lines))
    ids = {n.name: n.id for n in DESIRED.networks}
    key = interface(2, "202", "eth7")
    edits = (AddMember(ids[network], key),) if network else ()
    made = plan_on(2, facts, apply_edits(DESIRED, edits), DESIRED, LOOKS)
    places = [line for line in made.host.render().splitlines() if line.startswith("place ")]
    assert places == {"": ["place 4 202 eth7 -"], "A": [], "C": ["place 4 202 eth7 vn-c"]}[network]
    assert made.is_empty == (network == "A")
