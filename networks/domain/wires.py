"""Which adapters share a wire, and which virtual networks are one network on layer 2.

A wire is a physical segment with a VLAN id. `Layer2` is the graph of everything that passes frames on:
virtual networks on servers, wires, bridges inside containers, and bridges that the panel does not manage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from networks.domain.inventory import AdapterView, InterfaceView, Inventory, NetworkRef, Subject
from networks.domain.state import (
    AdapterKey,
    Assignment,
    Desired,
    InterfaceKey,
    NetworkId,
    ServerId,
    grouped,
)


@dataclass(frozen=True, slots=True, order=True)
class Wire:
    """A physical segment and the VLAN id on it (0: untagged)."""

    segment: int
    vid: int = 0


def adapter_wanted(
    key: AdapterKey, before: Desired, after: Desired, inventory: Inventory
) -> AdapterView | None:
    """The adapter as it will be: seen on the server or a VLAN adapter of `after`; None if there is none.

    A VLAN adapter that `before` has and `after` has not is about to go, whatever was seen.
    """
    seen = inventory.adapter(key)
    vlan = next((v for v in after.vlans_on(key.server) if v.name == key.name), None)
    if vlan is not None:
        view = seen or AdapterView(key.server, key.name)
        return replace(view, kind="vlan", base=vlan.base, vid=vlan.vid, gone=False, bond="")
    if seen is None or seen.gone or any(v.name == key.name for v in before.vlans_on(key.server)):
        return None
    return seen


def wire_of(view: AdapterView, inventory: Inventory) -> Wire | None:
    """The wire an adapter is on; None where its physical segment is unknown.

    A VLAN adapter is on its base's. Of one that stands on a bridge somebody may have said it.
    """
    if view.kind != "vlan":
        return Wire(view.segment) if view.segment is not None else None
    base = inventory.adapter(AdapterKey(view.server, view.base)) or view
    if base.segment is None or view.vid is None:
        return None
    return Wire(base.segment, view.vid)


def wire_name(wire: Wire | None, view: AdapterView, inventory: Inventory) -> str:
    """ "“physical network”, VLAN 100", "“physical network”, untagged" or "an unknown physical segment"."""
    if wire is None:
        return "an unknown physical segment"
    named = view if view.kind != "vlan" else inventory.adapter(AdapterKey(view.server, view.base)) or view
    return f"“{named.segment_name or wire.segment}”, " + (f"VLAN {wire.vid}" if wire.vid else "untagged")


def is_made_by_others(bridge: str, *states: Desired) -> bool:
    """Whether the panel makes no bridge of that name for the states. Their networks may have adopted it."""
    return bridge != "" and not any(bridge in state.bridge_names for state in states)


def adoptions(before: Desired, after: Desired, inventory: Inventory) -> Iterator[tuple[Assignment, str]]:
    """Assignments of `after` that use a bridge which the panel did not make, each with that bridge.

    As a plan does (`wanted.py`): one that is recorded keeps its bridge, wherever its adapter was put since.
    """
    for assignment in after.assignments:
        if assignment.adapter is None:
            continue
        if assignment.bridge:
            yield assignment, assignment.bridge
            continue
        view = inventory.adapter(AdapterKey(assignment.server, assignment.adapter))
        if view is not None and not view.gone and is_made_by_others(view.bridge, before, after):
            yield assignment, view.bridge


@dataclass(frozen=True, slots=True, order=True)
class NetworkHere:
    """A virtual network on one server: one bridge."""

    network: NetworkId
    server: ServerId


@dataclass(frozen=True, slots=True, order=True)
class ForeignBridge:
    """A bridge of a server that the panel does not manage."""

    server: ServerId
    name: str


@dataclass(frozen=True, slots=True, order=True)
class UnknownWire:
    """The wire of one adapter whose physical segment nobody has named."""

    adapter: AdapterKey


@dataclass(frozen=True, slots=True, order=True)
class InsideBridge:
    """A bridge inside a container; `number` counts the container's bridges."""

    server: ServerId
    ctid: str
    number: int


@dataclass(frozen=True, slots=True, order=True)
class LooseEnd:
    """The host side of a container interface that is in no bridge: its server alone is at the other end.

    Linux answers ARP there for every address the server has (ip-sysctl.rst, arp_ignore 0).
    """

    interface: InterfaceKey


Node = NetworkHere | ForeignBridge | UnknownWire | InsideBridge | Wire | LooseEnd


@dataclass(frozen=True, slots=True)
class Joint:
    """One edge of the graph: `by` is the adapter or the container interface that joins the two.

    Or the bridge, where two networks would adopt one: that is refused.
    """

    a: Node
    b: Node
    by: AdapterKey | InterfaceKey | ForeignBridge


@dataclass(frozen=True)
class Layer2:
    """The graph of layer 2 for a state."""

    joints: tuple[Joint, ...]

    def segment(self, node: Node) -> int:
        """A number that two nodes share exactly when frames can get from one to the other."""
        return self._segments.get(node, -1 - hash(node) % (1 << 60))

    @cached_property
    def _segments(self) -> dict[Node, int]:
        parents: dict[Node, Node] = {}

        def root(node: Node) -> Node:
            parents.setdefault(node, node)
            while parents[node] != node:
                parents[node] = parents[parents[node]]
                node = parents[node]
            return node

        for joint in self.joints:
            parents[root(joint.a)] = root(joint.b)
        numbers: dict[Node, int] = {}
        return {node: numbers.setdefault(root(node), len(numbers)) for node in list(parents)}

    def rings(self) -> list[tuple[Joint, ...]]:
        """Groups of joints on which frames can circle, one group per knot of rings.

        A knot is a 2-edge-connected component: it does not depend on the order of joints, so that an edit
        elsewhere never makes an old ring look new.
        """
        return _knots(self.joints)


@dataclass(frozen=True)
class Places:
    """Where adapters and container interfaces of `after` are on layer 2, on what the inventory has seen."""

    before: Desired
    after: Desired
    inventory: Inventory

    @cached_property
    def adopted(self) -> dict[tuple[ServerId, str], tuple[NetworkId, ...]]:
        """Networks of `after` by the bridge of somebody else that they use: (server, name).

        One each, more only in a state that the rules refuse.
        """
        found = grouped(adoptions(self.before, self.after, self.inventory), lambda a: (a[0].server, a[1]))
        return {key: tuple(dict.fromkeys(a.network for a, _ in users)) for key, users in found.items()}

    @cached_property
    def assigned(self) -> dict[AdapterKey, list[Assignment]]:
        """Assignments by adapter: one each, more only in a state that the rules refuse."""
        bridged = (a for a in self.after.assignments if a.adapter is not None)
        return grouped(bridged, lambda a: AdapterKey(a.server, a.adapter or ""))

    def is_foreign(self, bridge: str, server: ServerId) -> bool:
        """Whether the bridge is no network's in `after`: one that was adopted and is left is that again."""
        return (server, bridge) not in self.adopted and self._is_made_by_others(bridge)

    def _is_made_by_others(self, bridge: str) -> bool:
        return is_made_by_others(bridge, self.before, self.after)

    def of_bridge(self, server: ServerId, bridge: str) -> NetworkHere | ForeignBridge:
        """The node of a bridge that is not the panel's own."""
        users = self.adopted.get((server, bridge))
        return NetworkHere(users[0], server) if users else ForeignBridge(server, bridge)

    def holder(self, view: AdapterView) -> Node | None:
        """The bridge that holds the adapter, None if none does."""
        if assignments := self.assigned.get(view.key):
            return NetworkHere(assignments[0].network, view.server)
        if view.gone or not self._is_made_by_others(view.bridge):
            return None
        return self.of_bridge(view.server, view.bridge)

    def wire(self, view: AdapterView) -> Node:
        """The wire that the adapter is on."""
        return wire_of(view, self.inventory) or UnknownWire(view.key)

    def of_interface(self, key: InterfaceKey) -> tuple[Node, ...]:
        """The networks or foreign bridge that the container interface is in: one or none, as a rule."""
        members = self.after.memberships(key)
        if members:
            return tuple([self._here(member.network, key.server) for member in members])
        view = self._kept(key)
        if view is None or not self._is_made_by_others(view.bridge):
            return ()
        # A former member leaves a bridge that a network had adopted; a stranger in it stays.
        if self.before.memberships(key) and self.before.is_bridge_of_ours(view.bridge, key.server):
            return ()
        return (self.of_bridge(key.server, view.bridge),)

    def _kept(self, key: InterfaceKey) -> InterfaceView | None:
        """The interface, None if it is not there or about to be removed: inventories keep that one."""
        view = self.inventory.interface(key)
        return None if view is None or view.gone or key in self.after.gone_interfaces else view

    def _here(self, network: NetworkId, server: ServerId) -> NetworkHere:
        """The node, made once: thousands of interfaces stand on it."""
        made = self._made.get((network, server))
        if made is None:
            made = self._made[network, server] = NetworkHere(network, server)
        return made

    @cached_property
    def _made(self) -> dict[tuple[NetworkId, ServerId], NetworkHere]:
        return {}

    def stand(self, key: InterfaceKey) -> tuple[Node, ...]:
        """As `of_interface`; a bridged interface that is in nothing stands alone with its server."""
        if found := self.of_interface(key):
            return found
        view = self._kept(key)
        return (LooseEnd(key),) if view and view.mode == "bridged" else ()

    def joints(self) -> Iterator[Joint]:
        """Everything that joins two nodes."""
        for key, assignments in self.assigned.items():
            wanted = adapter_wanted(key, self.before, self.after, self.inventory)
            if wanted is not None:
                for assignment in assignments:
                    yield Joint(NetworkHere(assignment.network, key.server), self.wire(wanted), key)
        for (server, bridge), (first, *others) in self.adopted.items():
            for other in others:
                by = ForeignBridge(server, bridge)
                yield Joint(NetworkHere(first, server), NetworkHere(other, server), by)
        for view in self.inventory.adapters:
            if view.key not in self.assigned and (node := self.holder(view)) is not None:
                yield Joint(node, self.wire(view), view.key)
        for container in self.inventory.containers:
            for number, group in enumerate(container.joined):
                inside = InsideBridge(container.server, container.ctid, number)
                for ifname in group:
                    port = InterfaceKey(container.server, container.ctid, ifname)
                    for node in self.stand(port):
                        yield Joint(inside, node, port)


def layer2(before: Desired, after: Desired, inventory: Inventory) -> Layer2:
    """The graph for `after`, on what the inventory has seen."""
    return Layer2(tuple(Places(before, after, inventory).joints()))


def subjects_of(joints: tuple[Joint, ...]) -> tuple[Subject, ...]:
    """The virtual networks, adapters and interfaces of the joints, sorted, each once."""
    nodes = {node for joint in joints for node in (joint.a, joint.b)}
    networks = {NetworkRef(node.network) for node in nodes if isinstance(node, NetworkHere)}
    adapters = {joint.by for joint in joints if isinstance(joint.by, AdapterKey)}
    interfaces = {joint.by for joint in joints if isinstance(joint.by, InterfaceKey)}
    return (*sorted(networks), *sorted(adapters), *sorted(interfaces))


def _knots(joints: tuple[Joint, ...]) -> list[tuple[Joint, ...]]:
    """The 2-edge-connected components that have joints, by Tarjan's bridge finding without recursion."""
    around: dict[Node, list[tuple[int, Node]]] = {}
    for number, joint in enumerate(joints):
        around.setdefault(joint.a, []).append((number, joint.b))
        around.setdefault(joint.b, []).append((number, joint.a))
    seen: dict[Node, int] = {}
    low: dict[Node, int] = {}
    component: dict[Node, int] = {}
    for start in around:
        if start in seen:
            continue
        seen[start] = low[start] = len(seen)
        path: list[tuple[Node, int, Iterator[tuple[int, Node]]]] = [(start, -1, iter(around[start]))]
        open_nodes = [start]
        while path:
            node, came_by, rest = path[-1]
            step = next(rest, None)
            if step is None:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == seen[node]:
                    number = seen[node]
                    while True:
                        done = open_nodes.pop()
                        component[done] = number
                        if done == node:
                            break
            elif step[0] != came_by:
                other = step[1]
                if other in seen:
                    low[node] = min(low[node], seen[other])
                else:
                    seen[other] = low[other] = len(seen)
                    open_nodes.append(other)
                    path.append((other, step[0], iter(around[other])))
    inner = [joint for joint in joints if component[joint.a] == component[joint.b]]
    return [tuple(group) for group in grouped(inner, lambda joint: component[joint.a]).values()]
