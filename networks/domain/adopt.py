"""Adopting: the edits that make desired what was found on a server, where edits can say it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from networks.domain.state import (
    AddMember,
    Assign,
    CreateVlan,
    DeleteVlan,
    Desired,
    Edit,
    InterfaceKey,
    NetworkId,
    RemoveMember,
    ServerId,
)
from networks.domain.verify import Mismatch
from networks.domain.wanted import adapters_in, bridge_holding
from nodes.facts import Container, ContainerInterface, ServerFacts


@dataclass(frozen=True, slots=True)
class Adoption:
    """`edits` that accept what was found; none, and then `why_not` says why as a sentence."""

    edits: tuple[Edit, ...] = ()
    why_not: str = ""


SETTING = Adoption(
    why_not="This is how the panel makes every bridge and adapter, not a decision of its own. Repair it."
)
RECORD = Adoption(
    why_not="The record is how a boot brings back what was decided, not a decision of its own. Repair it."
)
BRIDGE = Adoption(
    why_not="A virtual network that is on a server has a bridge there. Repair it, or take its Containers and "
    "its assignment off this server."
)
HALF = Adoption(
    why_not="The Container runs as decided and only its saved configuration differs. Repair it, or change "
    "the membership."
)
NOT_OURS = Adoption(
    why_not="A bridge is involved that the panel did not make. Take the network off this server in a Change, "
    "then assign it anew."
)
MORE_ADAPTERS = Adoption(
    why_not="A virtual network has one network adapter on a server, and its bridge holds more. Take one out."
)


def adoption(item: Mismatch, server: ServerId, desired: Desired, facts: ServerFacts) -> Adoption:
    """How to accept what the mismatch found on the server."""
    match item.property:
        case "port" | "interface" | "mode" if isinstance(item.subject, InterfaceKey):
            return _moved(item.subject, item.network, _bridge_now(item.subject, facts), server, desired)
        case "saved configuration" if isinstance(item.subject, InterfaceKey):
            return _saved(item.subject, item.network, server, desired, facts)
        case "VLAN adapter":
            return _vlan(item.link, server, desired, facts)
        case "adapter" | "bridge" if item.link != item.desired:
            return _adapter(item.network, server, desired, facts)
        case "bridge":
            return BRIDGE
        case "the server's record":
            return RECORD
    return SETTING


def _find(key: InterfaceKey, facts: ServerFacts) -> tuple[Container, ContainerInterface] | None:
    for container in facts.containers:
        for interface in container.interfaces:
            if (container.ctid, interface.ifname) == (key.ctid, key.ifname):
                return container, interface
    return None


def _bridge_now(key: InterfaceKey, facts: ServerFacts) -> str:
    found = _find(key, facts)
    if found is None or found[1].mode != "bridged":
        return ""
    return bridge_holding(found[1].host_ifname, facts) if found[1].host_ifname else ""


def _moved(
    key: InterfaceKey, network: NetworkId, bridge: str, server: ServerId, desired: Desired
) -> Adoption:
    """Out of its network, and into the one whose bridge it was found in."""
    other = _network_of(bridge, server, desired)
    return Adoption(
        (RemoveMember(key), AddMember(other, key)) if other not in ("", network) else (RemoveMember(key),)
    )


def _network_of(bridge: str, server: ServerId, desired: Desired) -> NetworkId:
    """The network that the bridge is on the server, "" if none."""
    for network in desired.networks_on(server) if bridge else ():
        row, assignment = desired.network(network), desired.assignment(network, server)
        if bridge == ((assignment.bridge if assignment else "") or (row.bridge if row else "")):
            return network
    return ""


def _saved(
    key: InterfaceKey, network: NetworkId, server: ServerId, desired: Desired, facts: ServerFacts
) -> Adoption:
    found = _find(key, facts)
    if found is None:
        return Adoption((RemoveMember(key),))
    container, interface = found
    if not interface.saved:
        return HALF
    if container.status == "running" and _bridge_now(key, facts) != interface.configured_bridge:
        return HALF
    return _moved(key, network, interface.configured_bridge, server, desired)


def _vlan(name: str, server: ServerId, desired: Desired, facts: ServerFacts) -> Adoption:
    link = facts.link(name)
    holder = next((a.network for a in desired.assignments_on(server) if a.adapter == name), None)
    if link is not None and link.vlan is not None:
        return Adoption((DeleteVlan(server, name), CreateVlan(server, name, link.vlan.base, link.vlan.vid)))
    freed = (Assign(holder, server, None),) if holder else ()
    return Adoption((*freed, DeleteVlan(server, name)))


def _adapter(network: NetworkId, server: ServerId, desired: Desired, facts: ServerFacts) -> Adoption:
    """The network's adapter on the server is the one that its bridge holds now, or none."""
    assignment, row = desired.assignment(network, server), desired.network(network)
    if assignment is not None and assignment.bridge:
        return NOT_OURS
    wanted = assignment.adapter if assignment else None
    bridge = row.bridge if row else ""
    held = [link.name for link in adapters_in(bridge, facts)]
    if len(held) > 1:
        return MORE_ADAPTERS
    holder = bridge_holding(wanted, facts) if wanted else ""
    if not held and holder:
        taker = _network_of(holder, server, desired)
        if not taker:
            return NOT_OURS
        if len(adapters_in(holder, facts)) > 1:
            return MORE_ADAPTERS
        return Adoption((Assign(network, server, None), Assign(taker, server, wanted)))
    return Adoption((Assign(network, server, held[0] if held else None),))
