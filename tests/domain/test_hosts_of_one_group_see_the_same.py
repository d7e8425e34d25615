"""A row of the matrix stands for every member of its group: all see the same, and are seen alike."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import event, given, settings

from networks.domain.inventory import (
    ContainerKey,
    ContainerView,
    InterfaceView,
    Inventory,
    RouteView,
    RoutingView,
    ServerView,
)
from networks.domain.state import AddMember, Assign, DeleteVlan, Edit, RemoveMember, Unassign, apply_edits
from networks.domain.visibility import HostKey, Visibility, visibility
from tests.domain import built, scheme, strategies
from tests.domain.installation import Installation
from tests.domain.scheme import A, D, interface

KNOWN = scheme.inventory(built.LOOKS)


def differing(sight: Visibility) -> list[tuple[HostKey, HostKey, HostKey]]:
    """(a, b, other): a and b are in one group, but the other and they do not answer alike."""
    found = []
    for group in sight.groups(sight.hosts()):
        a = group.first
        for b in group.members[1:]:
            for other in sight.hosts():
                if other not in (a, b) and asked(sight, a, other) != asked(sight, b, other):
                    found.append((a, b, other))
            if asked(sight, a, group.members[1]) != asked(sight, b, a):
                found.append((a, b, a))
    return found


def asked(sight: Visibility, one: HostKey, other: HostKey) -> list[str]:
    """What the two see of each other, both ways, by IP and at layer 2."""
    return [
        ask(*pair) for pair in ((one, other), (other, one)) for ask in (sight.answer, sight.layer2_answer)
    ]


def seen(known: Inventory, *edits: Edit) -> Visibility:
    state = apply_edits(built.DESIRED, edits)
    return visibility(state, state, known)


def with_host_routed(known: Inventory, ctid: str, *addresses: str) -> Inventory:
    key = ContainerKey(int(ctid[0]), ctid)
    route = RoutingView(routes=(RouteView("default", "", "venet0"),))
    containers = (
        replace(c, host_routed=addresses, routing=route) if c.key == key else c for c in known.containers
    )
    return replace(known, containers=tuple(containers))


def with_addresses(known: Inventory, ctid: str, *addresses: str) -> Inventory:
    key = interface(int(ctid[0]), ctid)
    views = (replace(i, addresses=addresses) if i.key == key else i for i in known.interfaces)
    return replace(known, interfaces=tuple(views))


def test_a_host_routed_container_that_its_server_does_not_answer_for_stands_alone() -> None:
    """101's address is answered for on the LAN; the other's, of another subnet, is not."""
    elsewhere = ContainerView(1, "104", status="running")
    known = with_host_routed(replace(KNOWN, containers=(*KNOWN.containers, elsewhere)), "104", "10.99.0.4")
    sight = seen(known)
    one, other, who = ContainerKey(1, "101"), ContainerKey(1, "104"), ContainerKey(2, "201")
    assert (sight.answer(who, one), sight.answer(who, other)) == ("yes", "no")
    assert differing(sight) == []


def test_hosts_are_told_apart_by_a_narrower_subnet_of_somebody_else() -> None:
    """103 takes a half of the subnet for the whole: 102 is in it, 201 is not."""
    sight = seen(with_addresses(KNOWN, "103", "10.77.0.103/25"))
    assert sight.answer(ContainerKey(1, "103"), ContainerKey(1, "102")) == "yes"
    assert sight.answer(ContainerKey(1, "103"), ContainerKey(2, "201")) == "no"
    assert differing(sight) == []


@pytest.mark.parametrize("filters", [True, False])
def test_they_are_told_apart_by_their_bridge_where_frames_may_get_lost(filters: bool) -> None:
    """201 joins VLAN 100 to the LAN, as in seeds 104 and 133: who is behind which bridge matters then."""
    edits = (
        RemoveMember(interface(2, "201", "eth1")),
        AddMember(D, interface(2, "201", "eth1")),
        RemoveMember(interface(3, "303")),
        AddMember(A, interface(3, "303")),
        Assign(A, 3, "eth0"),
        Unassign(D, 3),
        DeleteVlan(3, "eth0.100"),
    )
    gone = (replace(a, gone=True) if a.server == 3 and a.name == "eth0.100" else a for a in KNOWN.adapters)
    servers = (replace(s, filters_tags=filters) for s in KNOWN.servers)
    assert differing(seen(replace(KNOWN, adapters=tuple(gone), servers=tuple(servers)), *edits)) == []


@settings(max_examples=60, deadline=None)
@given(strategies.seeds)
def test_all_members_of_a_group_see_the_same(rng: Random) -> None:
    world = Installation(strategies.world(rng))
    world.change(rng)
    draft = world.draft(rng)
    sight = visibility(draft, world.desired, wild(rng, world.inventory()))
    event(f"{len([g for g in sight.groups(sight.hosts()) if len(g.members) > 1])} groups of several")
    assert differing(sight) == []


def wild(rng: Random, known: Inventory) -> Inventory:
    """The inventory with addresses, routes, hardware addresses and proxies of a few kinds, at random."""
    numbers = iter(rng.sample(range(40, 250), 100))

    def address(subnet: int) -> str:
        return f"10.77.{subnet}.{next(numbers)}/{24 if rng.random() < 0.9 else rng.choice((16, 25))}"

    def routing(*devices: str) -> RoutingView:
        if rng.random() < 0.8:
            return RoutingView()
        via, dev = rng.choice(("", "10.77.0.1", "10.77.0.77")), rng.choice(devices)
        routes = RouteView("default", via, dev), RouteView("10.99.0.0/24", "10.77.0.11", dev)
        return RoutingView(frozenset({4} if rng.random() < 0.3 else ()), routes[: rng.randint(1, 2)])

    def interface(view: InterfaceView) -> InterfaceView:
        number = 0 if view.key.ifname == "eth0" else 1
        mac = view.mac if rng.random() < 0.9 else "00:18:51:00:00:77"
        addresses = (address(number),) if rng.random() < 0.9 else ()
        return replace(view, mac=mac, addresses=addresses, addresses_known=rng.random() < 0.95)

    def container(view: ContainerView) -> ContainerView:
        routed = view.host_routed or ((f"10.99.0.{next(numbers)}",) if rng.random() < 0.2 else ())
        off = ("eth0",) if rng.random() < 0.05 else ()
        return replace(view, host_routed=routed, off=off, routing=routing("eth0", "eth1", "venet0"))

    def server(view: ServerView) -> ServerView:
        assert view.routing is not None
        proxies = tuple(proxy for proxy in view.routing.proxies if rng.random() < 0.7)
        return replace(view, routing=replace(view.routing, proxies=proxies))

    return replace(
        known,
        containers=tuple(container(c) for c in known.containers),
        interfaces=tuple(interface(i) for i in known.interfaces),
        servers=tuple(server(s) for s in known.servers),
    )
