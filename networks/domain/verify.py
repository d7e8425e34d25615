"""What differs between desired and what a look found, property by property. Pure.

Used after an apply (is it as decided?) and for drift (networks/domain/drift.py). Desired may say less than
observed: ports, bridges, adapters and settings that desired does not speak of never differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from networks.domain.inventory import NetworkRef, ServerRef, ServerView, Subject
from networks.domain.state import AdapterKey, Desired, InterfaceKey
from networks.domain.wanted import (
    Wanted,
    WantedBridge,
    adapters_in,
    bridge_faults,
    bridge_holding,
    ours_on,
    wanted_on,
)
from nodes.facts import Container, ContainerInterface, ServerFacts

MISSING = "missing"
NO_BRIDGE = "in no bridge"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One property of one thing that is not as desired.

    (`subject`, `property`, `link`) is stable and names it; `desired` and `observed` are for people.
    `network` is the virtual network it belongs to, "" for a VLAN adapter. `link` is the server's name of it.
    """

    subject: Subject
    property: str
    desired: str
    observed: str
    network: str = ""
    link: str = ""


def mismatches(server: ServerView, desired: Desired, facts: ServerFacts) -> tuple[Mismatch, ...]:
    """Everything on the server that is not as `desired` says.

    Networks must have their bridge names and assignments their adopted bridges recorded, as stored desired
    has. An empty answer means: as decided. A Windows server never differs.
    """
    if server.os == "windows":
        return ()
    wanted = wanted_on(server.id, desired, facts, ours_on(server.id, facts, desired), desired)
    placed = frozenset(here.adapter for here in wanted.bridges.values())
    return (
        *_vlans(server, wanted, facts),
        *(found for here in wanted.bridges.values() for found in _bridge(server, here, placed, facts)),
        *_ports(server, wanted, {new.interface for new in desired.new_interfaces}, facts),
    )


def _vlans(server: ServerView, wanted: Wanted, facts: ServerFacts) -> Iterator[Mismatch]:
    for vlan in wanted.vlans.values():
        key = AdapterKey(server.id, vlan.name)
        link = facts.link(vlan.name)
        as_desired = f"VLAN {vlan.vid} on {vlan.base}"
        if link is None:
            yield Mismatch(key, "VLAN adapter", as_desired, MISSING, link=vlan.name)
        elif link.vlan is None:
            yield Mismatch(key, "VLAN adapter", as_desired, f"a link of kind {link.kind}", link=vlan.name)
        elif (link.vlan.base, link.vlan.vid) != (vlan.base, vlan.vid):
            observed = f"VLAN {link.vlan.vid} on {link.vlan.base}"
            yield Mismatch(key, "VLAN adapter", as_desired, observed, link=vlan.name)
        elif not link.up:
            yield Mismatch(key, "state", "up", "down", link=vlan.name)


def _bridge(
    server: ServerView, here: WantedBridge, placed: frozenset[str], facts: ServerFacts
) -> Iterator[Mismatch]:
    subject = ServerRef(server.id)
    link = facts.link(here.bridge)
    if link is None or link.kind != "bridge":
        observed = MISSING if link is None else f"a link of kind {link.kind}"
        yield Mismatch(subject, "bridge", here.bridge, observed, here.network, here.bridge)
    else:
        for fault in bridge_faults(here, facts):
            yield Mismatch(subject, fault.property, fault.desired, fault.observed, here.network, here.bridge)
    yield from _adapter(server, here, placed, facts)


def _adapter(
    server: ServerView, here: WantedBridge, placed: frozenset[str], facts: ServerFacts
) -> Iterator[Mismatch]:
    if here.adapter:
        key = AdapterKey(server.id, here.adapter)
        link = facts.link(here.adapter)
        held = bridge_holding(here.adapter, facts)
        if link is None:
            yield Mismatch(key, "adapter", f"in {here.bridge}", MISSING, here.network, here.adapter)
        elif held != here.bridge:
            observed = f"in {held}" if held else NO_BRIDGE
            yield Mismatch(key, "bridge", f"in {here.bridge}", observed, here.network, here.adapter)
    if here.adopted:
        return
    for other in adapters_in(here.bridge, facts):
        # One that belongs into another bridge is told there.
        if other.name not in placed:
            key = AdapterKey(server.id, other.name)
            yield Mismatch(
                key, "bridge", f"not in {here.bridge}", f"in {here.bridge}", here.network, other.name
            )


def _ports(
    server: ServerView, wanted: Wanted, made: set[InterfaceKey], facts: ServerFacts
) -> Iterator[Mismatch]:
    """`made`: interfaces that vzctl makes only after the commit."""
    networks = {name: here.network for name, here in wanted.bridges.items()}
    seen: set[InterfaceKey] = set()
    for container in facts.containers:
        for interface in container.interfaces:
            key = InterfaceKey(server.id, container.ctid, interface.ifname)
            seen.add(key)
            bridge = wanted.ports.get(key)
            if bridge is not None:
                yield from _port(key, container, interface, bridge, networks[bridge], facts)
    for key in sorted(wanted.ports.keys() - seen):
        bridge = wanted.ports[key]
        what = "saved configuration" if key in made else "interface"
        yield Mismatch(key, what, f"in {bridge}", MISSING, networks[bridge])


def _port(
    key: InterfaceKey,
    container: Container,
    interface: ContainerInterface,
    bridge: str,
    network: str,
    facts: ServerFacts,
) -> Iterator[Mismatch]:
    name = interface.host_ifname
    if interface.mode == "host-routed":
        yield Mismatch(key, "mode", "bridged", "host-routed", network, name)
        return
    link = facts.link(name) if name else None
    if container.status == "running" and link is None:
        yield Mismatch(key, "port", f"in {bridge}", MISSING, network, name)
    elif container.status == "running" and link is not None and link.master != bridge:
        yield Mismatch(
            key, "port", f"in {bridge}", f"in {link.master}" if link.master else NO_BRIDGE, network, name
        )
    if not interface.saved:
        yield Mismatch(key, "saved configuration", f"bridge {bridge}", "interface not saved", network, name)
    elif interface.configured_bridge != bridge:
        observed = f"bridge {interface.configured_bridge}" if interface.configured_bridge else "no bridge"
        yield Mismatch(key, "saved configuration", f"bridge {bridge}", observed, network, name)


def networks_of(found: tuple[Mismatch, ...]) -> tuple[NetworkRef, ...]:
    """The virtual networks that the mismatches belong to, each once."""
    return tuple(dict.fromkeys(NetworkRef(item.network) for item in found if item.network))
