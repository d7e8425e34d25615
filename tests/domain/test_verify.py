"""What differs between desired and a look, property by property."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from networks.domain.inventory import NetworkRef, ServerView
from networks.domain.state import Desired
from networks.domain.verify import mismatches, networks_of
from nodes.facts import Address, Bridge, Link, ServerFacts, Vlan
from tests.domain.built import (
    DESIRED,
    LOOKS,
    changed,
    fresh_looks,
    stopped,
    with_interface,
    with_link,
    without_link,
)
from tests.domain.scheme import A


def found(number: int, facts: ServerFacts, desired: Desired = DESIRED) -> list[tuple[str, str, str, str]]:
    view = ServerView(number, f"server{number}")
    return [(m.link, m.property, m.desired, m.observed) for m in mismatches(view, desired, facts)]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_finished_change_differs_in_nothing(number: int) -> None:
    assert found(number, LOOKS[number]) == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_desired_may_say_less_than_observed(number: int) -> None:
    facts = with_link(LOOKS[number], Link("vmbr7", "bridge", bridge=Bridge(True, 15)))
    facts = with_link(facts, Link("tap9", "tap", master="vn-a"))
    assert found(number, facts) == []
    assert found(number, facts, Desired()) == []


CASES: dict[str, tuple[int, Callable[[ServerFacts], ServerFacts], tuple[str, str, str, str]]] = {
    "a bridge is missing": (
        2, lambda f: without_link(f, "vn-c"), ("vn-c", "bridge", "vn-c", "missing")
    ),
    "the adapter is out of its bridge": (
        1, lambda f: changed(f, "eth0", master=""), ("eth0", "bridge", "in vn-a", "in no bridge")
    ),
    "the adapter is missing": (
        2, lambda f: without_link(f, "eth0.100"), ("eth0.100", "VLAN adapter", "VLAN 100 on eth0", "missing")
    ),
    "another adapter is in the bridge": (
        1, lambda f: changed(f, "eth1", master="vn-a"), ("eth1", "bridge", "not in vn-a", "in vn-a")
    ),
    "a local network got an adapter": (
        2, lambda f: changed(f, "eth1", master="vn-c"), ("eth1", "bridge", "not in vn-c", "in vn-c")
    ),
    "a port is in no bridge": (
        1, lambda f: changed(f, "veth102.0", master=""), ("veth102.0", "port", "in vn-a", "in no bridge")
    ),
    "a port is in the wrong bridge": (
        2, lambda f: changed(f, "veth203.0", master="vn-b"), ("veth203.0", "port", "in vn-c", "in vn-b")
    ),
    "a running container's port is missing": (
        1, lambda f: without_link(f, "veth102.0"), ("veth102.0", "port", "in vn-a", "missing")
    ),
    "a container has gone": (
        1, lambda f: replace(f, containers=f.containers[:1] + f.containers[2:]),
        ("", "interface", "in vn-a", "missing"),
    ),
    "vzctl has another bridge saved": (
        1, lambda f: with_interface(f, "102", lambda i: replace(i, configured_bridge="vmbr0")),
        ("veth102.0", "saved configuration", "bridge vn-a", "bridge vmbr0"),
    ),
    "vzctl has no bridge saved": (
        1, lambda f: with_interface(f, "102", lambda i: replace(i, configured_bridge="")),
        ("veth102.0", "saved configuration", "bridge vn-a", "no bridge"),
    ),
    "an interface is not saved": (
        1, lambda f: with_interface(f, "102", lambda i: replace(i, saved=False)),
        ("veth102.0", "saved configuration", "bridge vn-a", "interface not saved"),
    ),
    "a VLAN has another id": (
        3, lambda f: changed(f, "eth0.100", vlan=Vlan("eth0", 7)),
        ("eth0.100", "VLAN adapter", "VLAN 100 on eth0", "VLAN 7 on eth0"),
    ),
    "a VLAN is down": (
        3, lambda f: changed(f, "eth0.100", up=False), ("eth0.100", "state", "up", "down")
    ),
    "the MAC address is not pinned": (
        1, lambda f: changed(f, "vn-a", mac_pinned=False), ("vn-a", "MAC pinning", "pinned", "not pinned")
    ),
    "the MTU is another": (1, lambda f: changed(f, "vn-a", mtu=1400), ("vn-a", "MTU", "1500", "1400")),
    "spanning tree is on": (
        1, lambda f: changed(f, "vn-a", bridge=Bridge(True, 0, True)), ("vn-a", "spanning tree", "off", "on")
    ),
    "there is a forward delay": (
        1, lambda f: changed(f, "vn-a", bridge=Bridge(False, 15, True)),
        ("vn-a", "forward delay", "0 s", "15 s"),
    ),
    "tags are not filtered": (
        1, lambda f: changed(f, "vn-a", bridge=Bridge(False, 0, False)),
        ("vn-a", "tag filtering", "on", "off"),
    ),
    "the server answers on a local bridge": (
        2, lambda f: changed(f, "vn-c", arp_ignore=0),
        ("vn-c", "the server's ARP answers", "off", "on"),
    ),
    "a local bridge has IPv6": (
        2, lambda f: changed(f, "vn-c", ipv6_disabled=False), ("vn-c", "IPv6 of the server", "off", "on")
    ),
    "an address came back to the NIC": (
        1, lambda f: changed(f, "eth0", addresses=(Address(4, "10.77.0.99", 24),)),
        ("vn-a", "the server's addresses", "on vn-a", "on eth0"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_finds(name: str) -> None:
    number, hand, expected = CASES[name]
    assert expected in found(number, hand(LOOKS[number]))


@pytest.mark.parametrize(
    ("kernel", "kept"),
    [("2.6.32-042stab145.3", False), ("3.10.0-1160.vz7", False), ("4.16.18", False), ("4.17", True),
     ("6.1.0-42-amd64", True), ("5.x", True), ("", True)],
)  # fmt: skip
def test_the_mtu_is_no_difference_where_the_kernel_gives_a_bridge_its_smallest_ports(
    kernel: str, kept: bool
) -> None:
    facts = replace(changed(LOOKS[1], "vn-a", mtu=1400), kernel=kernel)
    assert (("vn-a", "MTU", "1500", "1400") in found(1, facts)) == kept


def test_a_kernel_without_tag_filtering_is_not_blamed() -> None:
    assert found(1, changed(LOOKS[1], "vn-a", bridge=Bridge(False, 0, None))) == []


def test_a_stopped_container_has_no_port_to_miss() -> None:
    assert found(1, stopped(LOOKS[1], "102")) == []


def test_mismatches_tell_their_network() -> None:
    facts = changed(LOOKS[1], "veth102.0", master="")
    assert networks_of(mismatches(ServerView(1, "server1"), DESIRED, facts)) == (NetworkRef(A),)


def test_a_windows_server_never_differs() -> None:
    assert mismatches(ServerView(1, "win", os="windows"), DESIRED, ServerFacts()) == ()


def test_before_the_apply_everything_is_missing() -> None:
    assert {row[1] for row in found(2, fresh_looks()[2])} == {
        "VLAN adapter", "adapter", "bridge", "port", "saved configuration"
    }  # fmt: skip
