"""Each rule, tried by edits on top of the manual's scheme: what is said, how severely, about what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.inventory import (
    AdapterView,
    ContainerView,
    InterfaceView,
    Inventory,
    NetworkRef,
    ServerRef,
    ServerView,
)
from networks.domain.looks import with_look
from networks.domain.rules import Problem, problems_of, review, server_in_use
from networks.domain.state import (
    AdapterKey,
    AddMember,
    Assign,
    Assignment,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DeleteVlan,
    DescribeNetwork,
    Desired,
    Edit,
    InterfaceKey,
    Network,
    RemoveMember,
    Unassign,
    VlanAdapter,
    apply_edits,
)
from nodes.facts import ContainerStatus
from tests.domain.built import with_container
from tests.domain.scheme import DESIRED, EDITS, SEGMENT, SEGMENT_NAME, A, B, C, D, E, interface, inventory

NEW = "new"
WINDOWS = 9


def installation() -> Inventory:
    """The scheme's servers, with more adapters, and a Windows server."""
    found = inventory()
    more = [AdapterView(server, "eth1", segment=SEGMENT, segment_name=SEGMENT_NAME) for server in (1, 2, 3)]
    more += [AdapterView(server, "eth2") for server in (1, 2, 3)]
    more += [
        AdapterView(1, "bond0", "bond", segment=SEGMENT, bond_mode=1),
        AdapterView(1, "eth8", segment=SEGMENT, bond="bond0"),
        AdapterView(1, "bond6", "bond", segment=SEGMENT, bond_mode=6),
        AdapterView(1, "eth7", segment=SEGMENT, gone=True),
        AdapterView(1, "eth1.5", "vlan", base="eth1", vid=5),
        AdapterView(1, "eth5", bridge="br5"),
        AdapterView(1, "eth6", bridge="br5"),
        AdapterView(WINDOWS, "Ethernet 2", segment=SEGMENT),
    ]
    return replace(
        found,
        servers=(*found.servers, ServerView(WINDOWS, "win1", os="windows")),
        adapters=(*found.adapters, *more),
        interfaces=(*found.interfaces, InterfaceView(interface(1, "101", "venet0"), "host-routed")),
        bridges=found.bridges | {(1, "br5")},
    )


FOUND = installation()


def said(edits: tuple[Edit, ...], before: Desired = DESIRED, found: Inventory = FOUND) -> list[Problem]:
    return [p for p in review(before, edits, found) if not p.existing]


def codes(edits: tuple[Edit, ...], before: Desired = DESIRED, found: Inventory = FOUND) -> set[str]:
    return {f"{p.severity} {p.code}" for p in said(edits, before, found)}


def test_the_manuals_scheme_has_no_problem() -> None:
    assert review(Desired(), EDITS, inventory()) == ()


CREATE = CreateNetwork(NEW, "New")

REFUSED: dict[str, tuple[tuple[Edit, ...], str]] = {
    "1 a name that is taken": ((CreateNetwork(NEW, "A"),), "name-taken"),
    "1 a name taken in other letters and spaces": ((CreateNetwork(NEW, "  a "),), "name-taken"),
    "1 a rename to a taken name": ((DescribeNetwork(B, "A"),), "name-taken"),
    "1 an empty name": ((CreateNetwork(NEW, "  "),), "name-unfit"),
    "1 a name that is too long": ((CreateNetwork(NEW, "n" * 65),), "name-unfit"),
    "1 a name of two lines": ((CreateNetwork(NEW, "a\nb"),), "name-unfit"),
    "1 a description that is too long": ((CreateNetwork(NEW, "New", "d" * 501),), "name-unfit"),
    "2 a host-routed interface": ((AddMember(A, interface(1, "101", "venet0")),), "host-routed"),
    "2 an interface that is not there": ((AddMember(A, interface(1, "999")),), "interface-gone"),
    "3 an interface that is in a network": ((AddMember(C, interface(1, "102")),), "interface-taken"),
    "4 an adapter that is assigned": ((CREATE, Assign(NEW, 1, "eth0")), "adapter-taken"),
    "4 two adapters of one foreign bridge": (
        (CREATE, CreateNetwork("other", "Other"), Assign(NEW, 1, "eth5"), Assign("other", 1, "eth6")),
        "bridge-shared",
    ),
    "5 an adapter that is not there": ((CREATE, Assign(NEW, 1, "eth9")), "adapter-gone"),
    "5 an adapter that has gone": ((CREATE, Assign(NEW, 1, "eth7")), "adapter-gone"),
    "5 a server that is not registered": ((Assign(A, 77, None),), "no-such-server"),
    "6 a VLAN on a VLAN": ((CreateVlan(2, "v", "eth0.100", 5),), "vlan-on-vlan"),
    "6 a VLAN on a VLAN made by others": ((CreateVlan(1, "v", "eth1.5", 6),), "vlan-on-vlan"),
    "6 a VLAN on nothing": ((CreateVlan(1, "v", "eth9", 5),), "vlan-base-gone"),
    "6 a VLAN on a bond's slave": ((CreateVlan(1, "v", "eth8", 5),), "vlan-on-slave"),
    "6 VLAN id 0": ((CreateVlan(1, "v", "eth0", 0),), "vlan-id-range"),
    "6 VLAN id 4095": ((CreateVlan(1, "v", "eth0", 4095),), "vlan-id-range"),
    "6 a VLAN id that the panel uses": ((CreateVlan(2, "v", "eth0", 100),), "vlan-id-taken"),
    "6 a VLAN id that others use": ((CreateVlan(1, "v", "eth1", 5),), "vlan-id-taken"),
    "6 a VLAN name of 16 bytes": ((CreateVlan(1, "averylongname.77", "eth0", 77),), "vlan-name-unfit"),
    "6 a VLAN name with a space": ((CreateVlan(1, "a b", "eth0", 77),), "vlan-name-unfit"),
    "6 a VLAN name that a bridge may get": ((CreateVlan(1, "vn-seven", "eth0", 77),), "vlan-name-unfit"),
    "6 a VLAN name twice": ((CreateVlan(2, "eth0.100", "eth1", 7),), "vlan-name-taken"),
    "6 a VLAN name of a NIC": ((CreateVlan(1, "eth1", "eth0", 7),), "vlan-name-taken"),
    "6 a VLAN name of a bridge": ((CreateVlan(1, "br5", "eth0", 7),), "vlan-name-taken"),
    "6 a VLAN made by others, made again": ((CreateVlan(1, "eth1.5", "eth1", 5),), "vlan-name-taken"),
    "6 a VLAN deleted and made anew": (
        (Unassign(D, 3), RemoveMember(interface(3, "301")), DeleteVlan(3, "eth0.100"),
         CreateVlan(3, "eth0.100", "eth1", 100)),
        "vlan-remade",
    ),
    "6 the id of a VLAN that is deleted": (
        (Unassign(D, 3), RemoveMember(interface(3, "301")), DeleteVlan(3, "eth0.100"),
         CreateVlan(3, "vlan100", "eth0", 100)),
        "vlan-remade",
    ),
    "7 members on two servers, local on one": ((Unassign(A, 2),), "partitioned"),
    "7 members on two servers, local by choice": ((Assign(A, 2, None),), "partitioned"),
    "7 a local network that gets a second server": (
        (RemoveMember(interface(1, "103")), AddMember(C, interface(1, "103"))),
        "partitioned",
    ),
    "8 a ring through 201": ((Assign(B, 2, "eth1"),), "ring"),
    "8 both interfaces of 201 in one network": (
        (RemoveMember(interface(2, "201", "eth1")), AddMember(A, interface(2, "201", "eth1"))),
        "ring",
    ),
    "9 a network in use": ((DeleteNetwork(A),), "network-in-use"),
    "9 a VLAN adapter in use": ((DeleteVlan(2, "eth0.100"),), "vlan-in-use"),
    "9 a bond's slave": ((CREATE, Assign(NEW, 1, "eth8")), "bond-slave"),
    "9 a bond that balances": ((CREATE, Assign(NEW, 1, "bond6")), "bond-mode"),
    "9 a VLAN on a bond that balances": (
        (CREATE, CreateVlan(1, "bond6.7", "bond6", 7), Assign(NEW, 1, "bond6.7")), "bond-mode"
    ),
    "9 a Windows server's adapter": ((CREATE, Assign(NEW, WINDOWS, "Ethernet 2")), "windows-server"),
    "9 a VLAN on a Windows server": ((CreateVlan(WINDOWS, "v7", "Ethernet 2", 7),), "windows-server"),
    "9 a VLAN made by others": ((DeleteVlan(1, "eth1.5"),), "vlan-foreign"),
    "a network that exists": ((CreateNetwork(A, "Again"),), "network-exists"),
    "a network that is gone": ((DescribeNetwork("gone", "X"),), "no-such-network"),
    "members of a network that is gone": (
        (RemoveMember(interface(1, "102")), AddMember("gone", interface(1, "102"))), "no-such-network"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses(name: str) -> None:
    edits, code = REFUSED[name]
    assert f"refuse {code}" in codes(edits)


ALLOWED: dict[str, tuple[Edit, ...]] = {
    "a bond in active-backup mode": (CREATE, Assign(NEW, 1, "bond0")),
    "a VLAN adapter made by others": (CREATE, Assign(NEW, 1, "eth1.5")),
    "a VLAN made and assigned in one draft": (
        CREATE, CreateVlan(1, "eth0.7", "eth0", 7), Assign(NEW, 1, "eth0.7")
    ),
    "the same VLAN id on another NIC": (CreateVlan(2, "eth1.100", "eth1", 100),),
    "two networks that swap names": (DescribeNetwork(A, "B"), DescribeNetwork(B, "A")),
    "a member that moves": (RemoveMember(interface(2, "204")), AddMember(B, interface(2, "204"))),
    "a local network on one server and assigned on another": (Assign(C, 1, "eth1"),),
    "everything taken back and deleted": (
        *(RemoveMember(m.interface) for m in DESIRED.members_of(D)),
        Unassign(D, 2), Unassign(D, 3), DeleteVlan(2, "eth0.100"), DeleteVlan(3, "eth0.100"),
        DeleteNetwork(D),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
def test_it_allows(name: str) -> None:
    assert not [p for p in said(ALLOWED[name]) if p.severity == "refuse"]


def test_swapping_two_adapters_is_allowed() -> None:
    before = apply_edits(DESIRED, (CREATE, Assign(NEW, 1, "eth1")))
    assert not [
        p for p in said((Assign(A, 1, "eth1"), Assign(NEW, 1, "eth0")), before) if p.severity == "refuse"
    ]


WARNED: dict[str, tuple[tuple[Edit, ...], str]] = {
    "10 two servers on different VLAN ids": (
        (CreateVlan(3, "eth0.200", "eth0", 200), Assign(D, 3, "eth0.200")), "split"
    ),
    "10 an unknown segment": ((Assign(A, 2, "eth2"),), "segment-unknown"),
    "11 two networks on one wire": ((CREATE, Assign(NEW, 1, "eth1")), "merged"),
    "12 another subnet": (
        (RemoveMember(interface(3, "303")), AddMember(D, interface(3, "303"))),
        "subnets-differ-4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNED)
def test_it_warns(name: str) -> None:
    edits, code = WARNED[name]
    assert f"warn {code}" in codes(edits)


def test_one_server_alone_is_not_split() -> None:
    assert not codes((CREATE, Assign(NEW, 1, "eth2")))


def test_it_warns_of_tags_where_the_kernel_cannot_filter_them() -> None:
    servers = tuple(replace(s, filters_tags=False) for s in FOUND.servers)
    found = replace(FOUND, servers=servers)
    assert [p.subjects[:2] for p in problems_of(DESIRED, found) if p.code == "tag-leak"] == [
        (NetworkRef(A), AdapterKey(2, "eth0"))
    ]


def test_it_warns_of_the_same_address_only_on_one_network() -> None:
    def with_address(key: InterfaceKey, address: str) -> Inventory:
        return replace(
            FOUND,
            interfaces=tuple(
                replace(i, addresses=(address,)) if i.key == key else i for i in FOUND.interfaces
            ),
        )

    # 202 is in B and 102 in A: one network, because 201 joins them by the bridge inside it.
    double = with_address(interface(2, "202"), "10.77.0.102/24")
    assert {p.code for p in problems_of(DESIRED, double)} == {"duplicate-ip"}
    apart = with_address(interface(2, "203"), "10.77.0.102/24")
    assert problems_of(DESIRED, apart) == ()


def test_a_stopped_container_of_vzctl_4_has_an_unknown_address_not_none() -> None:
    def with_addresses(known: bool) -> Inventory:
        changed = {"addresses": (), "addresses_known": known}
        return replace(
            FOUND,
            interfaces=tuple(
                replace(i, **changed) if i.key == interface(1, "102") else i for i in FOUND.interfaces
            ),
        )

    assert [p.code for p in problems_of(DESIRED, with_addresses(False))] == ["address-unknown"]
    assert [p.code for p in problems_of(DESIRED, with_addresses(True))] == ["no-address"]


def test_two_containers_that_join_the_same_networks_are_a_ring() -> None:
    joined = ContainerView(1, "102", joined=(("eth0", "eth1"),))
    found = replace(
        FOUND,
        containers=(*(c for c in FOUND.containers if c.key != joined.key), joined),
        interfaces=(*FOUND.interfaces, InterfaceView(interface(1, "102", "eth1"))),
    )
    edits = (Assign(B, 1, None), AddMember(B, interface(1, "102", "eth1")))
    assert "refuse ring" not in codes(edits, found=found)
    assert "refuse ring" in codes((*edits, Assign(B, 1, "eth1"), Assign(B, 2, "eth2")), found=found)


def test_a_ring_over_two_servers_is_found() -> None:
    """A and B are each joined on servers 1 and 2, by a wire of their own and by a container on each."""
    joined = ContainerView(1, "102", joined=(("eth0", "eth1"),))
    on_wire_2 = [
        replace(a, segment=2, segment_name="other") if a.name == "eth2" else a for a in FOUND.adapters
    ]
    found = replace(
        FOUND,
        adapters=tuple(on_wire_2),
        containers=(*(c for c in FOUND.containers if c.key != joined.key), joined),
        interfaces=(*FOUND.interfaces, InterfaceView(interface(1, "102", "eth1"))),
    )
    edits = (Assign(B, 1, "eth2"), Assign(B, 2, "eth2"), AddMember(B, interface(1, "102", "eth1")))
    ring = next(p for p in said(edits, found=found) if p.code == "ring")
    assert ring.severity == "refuse"
    assert {NetworkRef(A), NetworkRef(B)} < set(ring.subjects)
    assert "Container 201 (c201)" in ring.text and "Container 102" in ring.text


def joined_to(bridge: str) -> Inventory:
    """Container 102 joins its member interface eth0 with eth1, which is in a bridge that is not ours."""
    joined = ContainerView(1, "102", joined=(("eth0", "eth1"),))
    return replace(
        FOUND,
        containers=(*(c for c in FOUND.containers if c.key != joined.key), joined),
        interfaces=(*FOUND.interfaces, InterfaceView(interface(1, "102", "eth1"), bridge=bridge)),
    )


@pytest.mark.parametrize("status", ["stopped", "suspended", "unknown"])
def test_a_ring_that_closes_when_a_container_starts_again_is_found(status: ContainerStatus) -> None:
    """A look cannot see its bridge by now, but the one before did."""
    seen = inventory()
    view = seen.server(2)
    assert view is not None and view.facts is not None
    down = with_container(view.facts, "201", lambda c: replace(c, status=status, inside=None))
    twice = RemoveMember(interface(2, "201", "eth1")), AddMember(A, interface(2, "201", "eth1"))
    assert "refuse ring" in codes(twice, found=with_look(seen, view, down))


def test_a_ring_through_a_bridge_of_others_is_found() -> None:
    br5 = [replace(a, segment=SEGMENT) if a.name == "eth5" else a for a in FOUND.adapters]
    found = replace(joined_to("br5"), adapters=tuple(br5))
    assert "refuse ring" in codes(
        (Assign(A, 1, "eth1"),),
        before=replace(DESIRED, assignments=tuple(a for a in DESIRED.assignments if a.server != 1)),
        found=found,
    )


def test_a_ring_through_a_bridge_that_is_adopted_is_found() -> None:
    """eth1 of 102 is a stranger in br5 and stays there when the network that 102 is in adopts br5."""
    assert "refuse ring" in codes((Assign(A, 1, "eth5"),), found=joined_to("br5"))
    assert "refuse ring" not in codes((Assign(A, 1, "eth5"),), found=joined_to(""))
    others = tuple(a for a in DESIRED.assignments if (a.network, a.server) != (A, 1))
    recorded = replace(DESIRED, assignments=(*others, Assignment(A, 1, "eth5", "br5")))
    assert "ring" in {p.code for p in problems_of(recorded, joined_to("br5"))}


@pytest.mark.parametrize(
    ("fields", "why"),
    [({"addresses": ("192.0.2.1/24",)}, "the address 192.0.2.1/24"), ({"bridge": "vmbr7"}, "bridge vmbr7")],
    ids=str,
)
def test_a_vlan_adapter_that_the_server_uses_is_not_deleted(fields: dict[str, object], why: str) -> None:
    vlan = replace(AdapterView(1, "eth0.7", "vlan", base="eth0", vid=7), **fields)
    before = replace(DESIRED, vlans=(*DESIRED.vlans, VlanAdapter(1, "eth0.7", "eth0", 7)))
    found = replace(FOUND, adapters=(*FOUND.adapters, vlan))
    (problem,) = [p for p in said((DeleteVlan(1, "eth0.7"),), before, found) if p.code == "vlan-in-use"]
    assert why in problem.text


def test_a_vlan_adapter_that_others_stand_on_is_not_deleted() -> None:
    """The kernel takes them away with it (vlan_device_event in net/8021q/vlan.c), addresses and all."""
    stack = ("eth0.7", "eth0"), ("eth0.7.5", "eth0.7"), ("eth0.7.6", "eth0.7")
    found = replace(
        FOUND,
        adapters=(
            *FOUND.adapters,
            *(AdapterView(1, name, "vlan", base=base, vid=7 - n) for n, (name, base) in enumerate(stack)),
            AdapterView(1, "eth0.7.8", "vlan", base="eth0.7", vid=8, gone=True),
        ),
    )
    before = replace(DESIRED, vlans=(*DESIRED.vlans, VlanAdapter(1, "eth0.7", "eth0", 7)))
    (problem,) = [p for p in said((DeleteVlan(1, "eth0.7"),), before, found) if p.severity == "refuse"]
    assert problem.code == "vlan-in-use" and problem.text == (
        "VLAN adapter eth0.7 of physical server server1 cannot be deleted: eth0.7.5 and eth0.7.6 stand on it."
    )
    assert problem.subjects == tuple(AdapterKey(1, name) for name, _ in stack)


def test_vlan_adapters_that_stand_on_each_other_are_deleted_together() -> None:
    ours = VlanAdapter(1, "eth0.7", "eth0", 7), VlanAdapter(1, "eth0.7.5", "eth0.7", 5)
    views = (AdapterView(1, v.name, "vlan", base=v.base, vid=v.vid) for v in ours)
    found = replace(FOUND, adapters=(*FOUND.adapters, *views))
    before = replace(DESIRED, vlans=(*DESIRED.vlans, *ours))
    both = DeleteVlan(1, "eth0.7"), DeleteVlan(1, "eth0.7.5")
    assert "refuse vlan-in-use" not in codes(both, before, found)
    assert "refuse vlan-in-use" in codes(both[:1], before, found)


def test_a_server_in_use_is_not_removed() -> None:
    (problem,) = server_in_use(2, DESIRED, FOUND)
    assert problem.text == (
        "Physical server server2 cannot be removed: it has Virtual Network A, Virtual Network B, "
        "Virtual Network C, Virtual Network D and VLAN adapter eth0.100."
    )
    assert server_in_use(2, Desired(), FOUND) == []


def test_a_problem_names_what_is_in_the_way() -> None:
    (problem,) = [p for p in said((DeleteNetwork(C),)) if p.code == "network-in-use"]
    assert problem.text == (
        "Virtual Network C cannot be deleted: it has eth0 of Container 203 (c203) on physical server "
        "server2, eth0 of Container 204 (c204) on physical server server2 and a local assignment on "
        "physical server server2."
    )
    assert problem.subjects == (NetworkRef(C), interface(2, "203"), interface(2, "204"), ServerRef(2))
    assert problem.hint


def test_a_hidden_server_is_counted_but_not_named() -> None:
    found = replace(FOUND, hidden=frozenset({2}))
    texts = " ".join(p.text + p.hint for p in said((DeleteNetwork(C), Unassign(A, 2)), found=found))
    assert "that you may not see" in texts
    assert not any(secret in texts for secret in ("server2", "203", "204"))


def test_edits_that_change_nothing_are_warned_about() -> None:
    edits = (Unassign(E, 1), RemoveMember(interface(1, "104")), DeleteVlan(1, "eth0.9"))
    assert codes(edits) == {"warn not-assigned", "warn not-a-member", "warn no-such-vlan"}


def test_states_that_no_edit_can_make_are_found_too() -> None:
    """Imports and hands in the database can."""
    state = Desired(
        networks=(Network(A, "A"), Network(B, "A ")),
        assignments=(Assignment(A, 1, "eth0"), Assignment(A, 1, "eth1")),
        vlans=(VlanAdapter(1, "eth0.7", "eth0", 7), VlanAdapter(1, "x", "eth0", 7)),
    )
    assert {p.code for p in problems_of(state, FOUND)} >= {"name-taken", "assigned-twice", "vlan-id-taken"}
