"""Views that a look gives, and what counts as the server's own layer 3."""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.inventory import (
    AdapterView,
    ContainerKey,
    ServerView,
)
from networks.domain.looks import addresses_inside, joined_inside, views_of_server, with_look
from networks.domain.state import AdapterKey
from networks.domain.wanted import carries_layer3
from nodes.facts import (
    Address,
    Bond,
    ContainerInside,
    ContainerStatus,
    Link,
    ProxyEntry,
    Route,
    ServerFacts,
)
from tests.domain import scheme
from tests.domain.built import with_container
from tests.domain.scheme import interface, inventory


def test_the_scheme_is_seen_as_it_is() -> None:
    found = inventory()
    assert found.adapter(AdapterKey(3, "eth0")) == AdapterView(
        3,
        "eth0",
        segment=scheme.SEGMENT,
        segment_name=scheme.SEGMENT_NAME,
        bridge="br0",
        up=True,
        carrier=True,
    )
    assert found.bridges == {(3, "br0")}
    view = found.interface(interface(2, "201", "eth1"))
    assert view is not None
    assert (view.addresses, view.addresses_known, view.host_ifname) == (
        ("10.77.0.201/24",),
        True,
        "veth201.1",
    )
    joined = found.container(ContainerKey(2, "201"))
    assert joined is not None and joined.joined == (("eth0", "eth1"),)
    routed = found.interface(interface(3, "302", "venet0"))
    assert routed is not None and routed.mode == "host-routed"


def test_a_stopped_containers_addresses_are_known_on_7_only() -> None:
    for number, known in ((1, False), (3, True)):
        facts = scheme.looks()[number]
        down = replace(
            facts, containers=tuple(replace(c, status="stopped", inside=None) for c in facts.containers)
        )
        *_, interfaces = views_of_server(ServerView(number, "s"), down)
        bridged = [view for view in interfaces if view.mode == "bridged"]
        assert {view.addresses_known for view in bridged} == {known}
        assert all(bool(view.addresses) is known for view in bridged)


def test_slaves_and_modes_of_bonds_are_seen() -> None:
    facts = ServerFacts(
        links=(
            Link("bond0", "bond", bond=Bond(6, ("eth0", "eth1"))),
            Link("eth0", "nic", master="bond0"),
            Link("eth1", "nic", master="bond0"),
        )
    )
    _, adapters, _, _ = views_of_server(ServerView(1, "s"), facts)
    assert [(a.name, a.kind, a.bond_mode, a.bond, a.bridge) for a in adapters] == [
        ("bond0", "bond", 6, "", ""),
        ("eth0", "nic", None, "bond0", ""),
        ("eth1", "nic", None, "bond0", ""),
    ]


def test_a_fresh_look_keeps_segments_that_people_named() -> None:
    found = inventory()
    view = found.server(1)
    assert view is not None
    again = with_look(found, view, scheme.looks()[1])
    assert again.adapter(AdapterKey(1, "eth0")) == found.adapter(AdapterKey(1, "eth0"))
    assert len(again.servers) == 3 and len(again.interfaces) == len(found.interfaces)


@pytest.mark.parametrize(
    ("status", "inside", "joined"),
    [
        ("stopped", None, (("eth0", "eth1"),)),
        ("unknown", None, (("eth0", "eth1"),)),
        ("running", None, (("eth0", "eth1"),)),
        ("running", ContainerInside(), ()),
    ],
)
def test_a_fresh_look_keeps_what_is_joined_inside_a_container_that_it_did_not_look_into(
    status: ContainerStatus, inside: ContainerInside | None, joined: tuple[tuple[str, ...], ...]
) -> None:
    found = inventory()
    view = found.server(2)
    assert view is not None
    facts = with_container(scheme.looks()[2], "201", lambda c: replace(c, status=status, inside=inside))
    again = with_look(found, view, facts)
    container = again.container(ContainerKey(2, "201"))
    assert container is not None and (container.status, container.joined) == (status, joined)
    assert len(again.containers) == len(found.containers)


def test_a_gone_adapter_is_known_but_not_offered() -> None:
    found = inventory()
    gone = replace(found, adapters=tuple(replace(a, gone=True) for a in found.adapters))
    assert gone.adapter(AdapterKey(1, "eth0")) is not None
    assert gone.adapters_on(1) == ()


def test_link_local_addresses_say_nothing() -> None:
    inside = ContainerInside(
        links=(Link("eth0", "veth", addresses=(Address(6, "fe80::1", 64, scope="link"),)),)
    )
    assert addresses_inside(inside, "eth0") == addresses_inside(inside, "eth9") == ()
    assert joined_inside(inside) == ()


@pytest.mark.parametrize(
    ("facts", "carries"),
    [
        (ServerFacts(links=(Link("b", "bridge", addresses=(Address(4, "192.0.2.1", 24),)),)), True),
        (ServerFacts(links=(Link("b", "bridge", addresses=(Address(6, "fe80::1", 64, "link"),)),)), False),
        (ServerFacts(links=(Link("b", "bridge"),), proxies=(ProxyEntry(4, "192.0.2.9", "b"),)), True),
        (ServerFacts(links=(Link("b", "bridge"),), proxies=(ProxyEntry(4, "192.0.2.9", "x"),)), False),
        (ServerFacts(links=(Link("b", "bridge"),), routes=(Route(4, "198.51.100.0/24", dev="b"),)), True),
        (ServerFacts(links=(Link("b", "bridge"),), routes=(Route(6, "fe80::/64", dev="b"),)), False),
        (
            ServerFacts(links=(Link("b", "bridge"),), routes=(Route(4, "x", dev="b", proto="kernel"),)),
            False,
        ),
        (
            ServerFacts(links=(Link("b", "bridge"),), routes=(Route(6, "ff00::/8", dev="b", table="local"),)),
            False,
        ),
        (ServerFacts(), False),
    ],
)
def test_what_makes_a_link_carry_the_server(facts: ServerFacts, carries: bool) -> None:
    assert carries_layer3("b", facts) is carries
