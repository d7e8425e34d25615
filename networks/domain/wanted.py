"""What desired means on one server: its bridges, their adapters and ports, and what is the panel's there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from networks.domain.state import Assignment, Desired, InterfaceKey, NetworkId, ServerId, VlanAdapter
from nodes.facts import Link, ServerFacts

ARP_IGNORE_ALL = 8
"""net.ipv4.conf.*.arp_ignore: answer no ARP request at all (Linux Documentation/networking/ip-sysctl.rst)."""


@dataclass(frozen=True, slots=True)
class WantedBridge:
    """One virtual network on one server. `adapter` "" is local; `adopted`: the bridge is somebody else's."""

    network: NetworkId
    bridge: str
    adapter: str = ""
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything that desired wants on one server."""

    bridges: dict[str, WantedBridge]
    """By bridge name."""
    ports: dict[InterfaceKey, str]
    """Bridge name by member."""
    vlans: dict[str, VlanAdapter]


@dataclass(frozen=True, slots=True)
class Ours:
    """What the panel made on a server, by its own record there and by desired: only that is ever undone."""

    bridges: dict[str, frozenset[str]] = field(default_factory=dict)
    """Adapters that the panel put into each bridge of its own."""
    vlans: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Base and id of each VLAN adapter."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A bridge of somebody else that an assignment now uses: to be recorded with the assignment."""

    network: NetworkId
    bridge: str


def record_adopted(state: Desired, server: ServerId, adopted: Iterable[Adopted]) -> Desired:
    """The state in which the server's assignments name the bridges that they adopted."""
    names = {item.network: item.bridge for item in adopted}
    if not names:
        return state
    return replace(
        state,
        assignments=tuple(
            replace(a, bridge=names[a.network]) if a.server == server and a.network in names else a
            for a in state.assignments
        ),
    )


def wanted_on(
    server: ServerId, desired: Desired, facts: ServerFacts, ours: Ours, settled: Desired | None = None
) -> Wanted:
    """What `desired` wants on the server. Networks need their bridge names (`names.name_bridges`).

    An assignment that is the same in `settled` has its bridge already: if somebody put its adapter into a
    bridge of theirs since, that bridge is not adopted.
    """
    settled = settled or Desired()
    bridges: dict[str, WantedBridge] = {}
    ports: dict[InterfaceKey, str] = {}
    for network_id in desired.networks_on(server):
        network = desired.network(network_id)
        if network is None:
            continue
        assignment = desired.assignment(network_id, server)
        if assignment is not None and assignment == settled.assignment(network_id, server):
            here = _settled_here(network_id, network.bridge, assignment)
        else:
            here = _bridge_here(network_id, network.bridge, assignment, facts, ours)
        if not here.bridge:
            continue
        bridges.setdefault(here.bridge, here)
        for member in desired.members_of(network_id, server):
            ports.setdefault(member.interface, here.bridge)
    # Sorted, so that the same design always gives the same plan, however its rows came.
    return Wanted(
        dict(sorted(bridges.items())), ports, {vlan.name: vlan for vlan in desired.vlans_on(server)}
    )


def _settled_here(network: NetworkId, own: str, assignment: Assignment) -> WantedBridge:
    adopted = assignment.bridge != ""
    return WantedBridge(network, assignment.bridge or own, assignment.adapter or "", adopted)


def _bridge_here(
    network: NetworkId, own: str, assignment: Assignment | None, facts: ServerFacts, ours: Ours
) -> WantedBridge:
    if assignment is None or assignment.adapter is None:
        return WantedBridge(network, own)
    if assignment.bridge:
        return WantedBridge(network, assignment.bridge, assignment.adapter, adopted=True)
    holder = bridge_holding(assignment.adapter, facts)
    if holder and holder not in ours.bridges:
        return WantedBridge(network, holder, assignment.adapter, adopted=True)
    return WantedBridge(network, own, assignment.adapter)


def bridge_holding(name: str, facts: ServerFacts) -> str:
    """The bridge that the link is a port of, "" if none."""
    link = facts.link(name)
    master = facts.link(link.master) if link and link.master else None
    return master.name if master and master.kind == "bridge" else ""


def ours_on(server: ServerId, facts: ServerFacts, *states: Desired) -> Ours:
    """What is the panel's on the server: by the server's committed record and by the states.

    The record counts too, so that what was deleted while a server was away is still known as ours.
    """
    bridges: dict[str, set[str]] = {}
    vlans: dict[str, tuple[str, int]] = {}
    for words in committed_keeps(facts):
        match words:
            case ("vlan", dev, base, vid) if vid.isdecimal():
                vlans[dev] = (base, int(vid))
            case ("bridge", bridge, adapter):
                bridges.setdefault(bridge, set()).update({adapter} - {"-"})
    for state in states:
        for network in state.networks:
            if not network.bridge:
                continue
            held = bridges.setdefault(network.bridge, set())
            assignment = state.assignment(network.id, server)
            if assignment and assignment.adapter and not assignment.bridge:
                held.add(assignment.adapter)
        vlans |= {vlan.name: (vlan.base, vlan.vid) for vlan in state.vlans_on(server)}
    return Ours({name: frozenset(held) for name, held in bridges.items()}, vlans)


def committed_keeps(facts: ServerFacts) -> frozenset[tuple[str, ...]]:
    """The `keep` lines of the server's own record (networks/host/README.md), as words without "keep"."""
    lines = (line.split() for line in facts.transaction.committed)
    return frozenset(tuple(words[1:]) for words in lines if words[:1] == ["keep"])


def is_adapter(link: Link) -> bool:
    """Whether a virtual network can be assigned to the link, as far as its kind goes."""
    return link.kind in ("nic", "bond", "vlan")


def adapters_in(bridge: str, facts: ServerFacts) -> tuple[Link, ...]:
    """The network adapters that the bridge holds."""
    return tuple(link for link in facts.ports(bridge) if is_adapter(link))


def carries_layer3(name: str, facts: ServerFacts) -> bool:
    """Whether the server itself lives on the link: an address, a route, or one it answers for."""
    link = facts.link(name)
    if link is None:
        return False
    if any(address.scope not in ("link", "host") for address in link.addresses):
        return True
    if any(entry.dev == name for entry in facts.proxies):
        return True
    return any(
        route.dev == name
        and route.proto != "kernel"
        and route.table != "local"
        and not route.dst.startswith(("fe80:", "ff00:"))
        for route in facts.routes
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """A property of a link that is not as it should be."""

    property: str
    desired: str
    observed: str


def keeps_bridge_mtu(kernel: str) -> bool:
    """Whether a bridge keeps the MTU it was given; before 4.17 it has its smallest port's (br_change_mtu).

    `kernel` as `uname -r` says it; what cannot be read is taken to be a newer one.
    """
    release = re.match(r"(\d{1,4})\.(\d{1,4})", kernel)
    return release is None or (int(release[1]), int(release[2])) >= (4, 17)


def bridge_faults(wanted: WantedBridge, facts: ServerFacts) -> list[Fault]:
    """How a bridge of ours that exists differs from what the panel makes (networks/host sets the same).

    Adopted bridges have none: their settings are somebody else's.
    """
    link = facts.link(wanted.bridge)
    if link is None or link.bridge is None or wanted.adopted:
        return []
    faults = []
    if not link.up:
        faults.append(Fault("state", "up", "down"))
    if link.bridge.stp:
        faults.append(Fault("spanning tree", "off", "on"))
    if link.bridge.forward_delay_s:
        faults.append(Fault("forward delay", "0 s", f"{link.bridge.forward_delay_s:g} s"))
    if link.bridge.vlan_filtering is False:
        faults.append(Fault("tag filtering", "on", "off"))
    adapter = facts.link(wanted.adapter) if wanted.adapter else None
    if adapter is not None and adapter.master == wanted.bridge:
        if link.mac != adapter.mac:
            faults.append(Fault("MAC address", adapter.mac, link.mac))
        # An unpinned MAC changes with the first container that starts, and peers lose the server.
        if link.mac_pinned is False:
            faults.append(Fault("MAC pinning", "pinned", "not pinned"))
        if link.mtu != adapter.mtu and keeps_bridge_mtu(facts.kernel):
            faults.append(Fault("MTU", str(adapter.mtu), str(link.mtu)))
        if not adapter.up:
            faults.append(Fault(f"state of {adapter.name}", "up", "down"))
        if any(address.scope not in ("link", "host") for address in adapter.addresses):
            faults.append(Fault("the server's addresses", f"on {link.name}", f"on {adapter.name}"))
    if not carries_layer3(link.name, facts):
        if not link.ipv6_disabled:
            faults.append(Fault("IPv6 of the server", "off", "on"))
        if link.arp_ignore != ARP_IGNORE_ALL:
            faults.append(Fault("the server's ARP answers", "off", "on"))
    return faults
