"""Interfaces in no network and no bridge: their own server hears them, and answers ARP at the other end.

Found on the lab by random topologies, seeds 7, 8 and 9 of their first run.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.inventory import (
    ContainerKey,
    ContainerView,
    InterfaceView,
    Inventory,
    RouteView,
    RoutingView,
    ServerRef,
    ServerView,
)
from networks.domain.state import AddMember, CreateNetwork, Desired, InterfaceKey, apply_edits
from networks.domain.visibility import OtherHosts, Visibility, visibility
from networks.measure.plan import plan
from tests.domain import scheme
from tests.domain.scheme import interface

OTHER = OtherHosts(scheme.SEGMENT)
FOUND = scheme.inventory()


def ct(ctid: str) -> ContainerKey:
    return ContainerKey(int(ctid[0]), ctid)


def sight(found: Inventory = FOUND, desired: Desired | None = None) -> Visibility:
    desired = desired or Desired()
    return visibility(desired, desired, found)


def with_container(key: ContainerKey, **fields: object) -> Inventory:
    return replace(
        FOUND, containers=tuple(replace(c, **fields) if c.key == key else c for c in FOUND.containers)
    )


@pytest.fixture
def alone() -> Visibility:
    return sight()


def test_its_server_is_heard_and_nobody_else(alone: Visibility) -> None:
    assert alone.layer2_answer(ct("203"), ServerRef(2)) == "yes"
    assert alone.layer2_answer(ServerRef(2), ct("203")) == "yes"
    for other in (ct("204"), ServerRef(1), OTHER):
        assert alone.layer2_answer(ct("203"), other) == "no"
    assert alone.shares_layer2(ct("203"), ServerRef(2)).text == (
        "Container 203 (c203) and physical server server2 share a layer-2 network: eth0 of Container 203 "
        "(c203) on physical server server2 is in no bridge, and its server answers at the other end."
    )


def test_the_answer_to_a_ping_goes_another_way(alone: Visibility) -> None:
    for other in (ct("204"), ServerRef(2), ServerRef(1), OTHER):
        assert alone.answer(ct("203"), other) == "no"
        assert alone.answer(other, ct("203")) == "no"


def test_it_is_told_to_be_in_no_network(alone: Visibility) -> None:
    there, back = alone.reaches(ct("203"), OTHER), alone.reaches(ServerRef(2), ct("203"))
    for verdict in (there, back):
        assert verdict.broken is not None
        assert verdict.broken.text == (
            "eth0 of Container 203 (c203) on physical server server2 is in no Virtual Network and no bridge."
        )


def test_a_server_that_routes_to_the_host_side_is_reached() -> None:
    view = FOUND.interface(interface(2, "203"))
    assert view is not None
    (server,) = (s for s in FOUND.servers if s.id == 2)
    assert server.routing is not None
    route = RouteView("10.77.0.203/32", dev=view.host_ifname)
    routing = replace(server.routing, routes=(*server.routing.routes, route))
    servers = tuple(replace(s, routing=routing) if s.id == 2 else s for s in FOUND.servers)
    routed = sight(replace(FOUND, servers=servers))
    assert routed.answer(ServerRef(2), ct("203")) == routed.answer(ct("203"), ServerRef(2)) == "yes"
    assert routed.answer(ct("203"), ct("204")) == "no"


def test_a_host_routed_container_answers_its_server_by_the_loose_end() -> None:
    """Seed 7: it has an address of the server's subnet on the interface that is in nothing."""
    found = sight(with_container(ct("202"), host_routed=("10.77.0.150",)))
    assert found.answer(ServerRef(2), ct("202")) == "yes"


def test_a_bridge_inside_counts_even_if_one_of_its_ends_is_loose() -> None:
    """Seed 9: 201 with eth1 in a local network, eth0 in none."""
    edits = (
        CreateNetwork(scheme.E, "E"),
        AddMember(scheme.E, interface(2, "201", "eth1")),
        AddMember(scheme.E, interface(2, "202")),
    )
    found = sight(desired=apply_edits(Desired(), edits))
    assert found.answer(ct("201"), ct("202")) == found.answer(ct("202"), ct("201")) == "yes"
    # The server hears them all by the end that nobody wanted.
    assert found.layer2_answer(ct("202"), ServerRef(2)) == "yes"
    assert found.answer(ct("202"), ServerRef(2)) == "no"


def test_a_stopped_container_has_no_other_end() -> None:
    found = sight(with_container(ct("203"), status="stopped"))
    assert found.layer2_answer(ct("203"), ServerRef(2)) == "no"


def test_it_is_no_network_of_its_own(alone: Visibility) -> None:
    assert [c.name for c in alone.components()] == [
        "Bridge br0 of physical server server3, on “physical network”, untagged"
    ]


@pytest.mark.parametrize(("servers", "groups"), [(3, 6), (12, 2)])
def test_of_many_servers_they_are_one_group(servers: int, groups: int) -> None:
    ids, routing = range(1, servers + 1), RoutingView(routes=(RouteView("default", "10.0.0.1", "eth0"),))
    found = Inventory(
        servers=tuple(ServerView(id, f"server{id}") for id in ids),
        containers=tuple(ContainerView(id, "100", status="running", routing=routing) for id in ids),
        interfaces=tuple(InterfaceView(InterfaceKey(id, "100", "eth0"), addresses_known=True) for id in ids),
    )
    everybody = sight(found)
    assert len(everybody.groups(everybody.hosts())) == groups


def test_the_server_asks_at_its_end_of_it(alone: Visibility) -> None:
    made = plan(alone, [ct("203"), ct("204"), ServerRef(2)])
    view = FOUND.interface(interface(2, "203"))
    assert view is not None
    (place,) = (place for place in made.places()[2] if not place.ctid)
    asked = {link for link, address in place.arps if address == "10.77.0.203"}
    assert asked == {"eth0", view.host_ifname}
