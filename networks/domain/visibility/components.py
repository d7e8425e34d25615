"""What belongs together: layer-2 components, and groups of hosts that see the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from networks.domain import words
from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import InterfaceKey, NetworkId, grouped
from networks.domain.visibility.alike import signature
from networks.domain.visibility.building import uncollected
from networks.domain.visibility.hosts import Host
from networks.domain.visibility.naming import Names
from networks.domain.visibility.verdict import HostKey, OtherHosts
from networks.domain.visibility.world import World
from networks.domain.wires import ForeignBridge, InsideBridge, LooseEnd, NetworkHere, Node, UnknownWire, Wire

FEW_SERVERS = 8
"""Of so many servers, containers in no network are told apart by the server that hears them."""


@dataclass(frozen=True, slots=True)
class Component:
    """One layer-2 network as it is: everything between which frames pass.

    `name` is for people, `key` is stable as long as the same bridges and wires are joined. `interfaces` are
    those of containers, `servers` those whose own stack is on it, `others` the physical segments whose other
    hosts are on it, `foreign_ports` counts ports that nobody has told the panel about.
    """

    key: str
    name: str
    segment: int
    networks: tuple[NetworkId, ...] = ()
    bridges: tuple[ForeignBridge, ...] = ()
    wires: tuple[Wire | UnknownWire, ...] = ()
    interfaces: tuple[InterfaceKey, ...] = ()
    servers: tuple[ServerRef, ...] = ()
    others: tuple[OtherHosts, ...] = ()
    foreign_ports: int = 0

    @property
    def containers(self) -> tuple[ContainerKey, ...]:
        return tuple(dict.fromkeys(ContainerKey(i.server, i.ctid) for i in self.interfaces))


@dataclass(frozen=True, slots=True)
class Group:
    """Hosts that see the same and are seen alike: one row and one column of a matrix."""

    name: str
    members: tuple[HostKey, ...]

    @property
    def first(self) -> HostKey:
        return self.members[0]


@uncollected()
def components(world: World, names: Names) -> tuple[Component, ...]:
    """Every layer-2 component that has a container, a server or a virtual network, in the order of names."""
    scene = world.scene
    nodes: set[Node] = {node for joint in scene.layer2.joints for node in (joint.a, joint.b)}
    nodes |= {NetworkHere(n, s) for n, s in _homes(world)}
    nodes |= {port.node for host in world.hosts.values() for port in host.ports if port.node is not None}
    nodes |= {
        ForeignBridge(b.server, b.name)
        for b in scene.inventory.bridge_views
        if b.foreign_ports and scene.places.is_foreign(b.name, b.server)
    }
    foreign = _foreign_ports(world)
    found = []
    for segment, here in grouped(nodes, scene.segment).items():
        if all(isinstance(node, LooseEnd | InsideBridge) for node in here):
            continue
        hosts = world.on_segment.get(segment, [])
        found.append(_component(segment, here, hosts, names, sum(foreign.get(node, 0) for node in here)))
    return tuple(sorted(found, key=lambda c: (not c.networks, c.name)))


def _homes(world: World) -> Iterable[tuple[NetworkId, int]]:
    after = world.scene.after
    return {(m.network, m.interface.server) for m in after.members} | {
        (a.network, a.server) for a in after.assignments
    }


def _foreign_ports(world: World) -> dict[Node, int]:
    """How many unknown ports are in each bridge."""
    scene = world.scene
    found: dict[Node, int] = {}
    for bridge in scene.inventory.bridge_views:
        if bridge.foreign_ports:
            node = scene.bridge_node(bridge)
            if node is not None:
                found[node] = found.get(node, 0) + len(bridge.foreign_ports)
    return found


def _component(segment: int, nodes: list[Node], hosts: list[Host], names: Names, foreign: int) -> Component:
    networks = sorted({n.network for n in nodes if isinstance(n, NetworkHere)})
    bridges = sorted(n for n in nodes if isinstance(n, ForeignBridge))
    wires = sorted((n for n in nodes if isinstance(n, Wire | UnknownWire)), key=str)
    interfaces = [
        port.interface for host in hosts for port in host.ports if port.segment == segment and port.interface
    ]
    return Component(
        key=hashlib.sha256("\n".join(sorted(map(str, nodes))).encode()).hexdigest()[:16],
        name=_name(nodes, networks, bridges, wires, names),
        segment=segment,
        networks=tuple(networks),
        bridges=tuple(bridges),
        wires=tuple(wires),
        interfaces=tuple(sorted(interfaces)),
        servers=tuple(sorted(h.key for h in hosts if isinstance(h.key, ServerRef))),
        others=tuple(OtherHosts(w.segment) for w in wires if isinstance(w, Wire) and not w.vid),
        foreign_ports=foreign,
    )


def _name(
    nodes: list[Node],
    networks: list[NetworkId],
    bridges: list[ForeignBridge],
    wires: list[Wire | UnknownWire],
    names: Names,
) -> str:
    """ "Virtual Networks A and B, on “LAN”, untagged", "Virtual Network C on physical server s2"."""
    after = names.scene.after
    what = words.networks(networks, after) if networks else ""
    on = words.listed([names.node(wire) for wire in wires], 2)
    if what and on:
        return f"{what}, on {on}"
    if what:
        servers = sorted({n.server for n in nodes if isinstance(n, NetworkHere)})
        return f"{what} on {words.listed([words.server(s, names.scene.inventory) for s in servers], 2)}"
    if bridges:
        named = words.sentence(words.listed([names.node(bridge) for bridge in bridges], 2))
        return f"{named}, on {on}" if on else named
    return on or "an empty bridge"


@uncollected()
def groups(world: World, names: Names, keys: Iterable[HostKey]) -> tuple[Group, ...]:
    """The hosts in groups that see the same, in the order of their first members.

    On many servers, those in no network are one group, whatever each hears of its own server.
    """
    every = list(keys)
    by_server = len({_server(key) for key in every}) <= FEW_SERVERS
    by_signature = grouped(every, lambda key: signature(world, world.hosts[key], by_server=by_server))
    return tuple(Group(_group_name(names, members), tuple(members)) for members in by_signature.values())


def _server(key: HostKey) -> int:
    return key.server if isinstance(key, ContainerKey) else key.id if isinstance(key, ServerRef) else 0


def _group_name(names: Names, members: list[HostKey]) -> str:
    if len(members) == 1:
        return words.sentence(names.end(members[0]))
    if isinstance(members[0], ContainerKey):
        hidden = names.scene.inventory.hidden
        ctids = [key.ctid for key in members if isinstance(key, ContainerKey) and key.server not in hidden]
        unseen = len(members) - len(ctids)
        more = [f"{unseen} that you may not see"] if unseen else []
        return f"Containers {words.listed([*ctids, *more])}"
    return words.sentence(words.listed([names.end(key) for key in members], 3))
