"""The way of a frame from one port to another, joint by joint, and where it ends if it does not get there."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from networks.domain import words
from networks.domain.inventory import ContainerKey
from networks.domain.state import AdapterKey, InterfaceKey
from networks.domain.visibility.hosts import NOWHERE, Host, Port, Scene
from networks.domain.visibility.naming import Names
from networks.domain.visibility.verdict import Evidence, Hop, OtherHosts
from networks.domain.wires import (
    ForeignBridge,
    InsideBridge,
    Joint,
    LooseEnd,
    NetworkHere,
    Node,
    UnknownWire,
    Wire,
    adapter_wanted,
)


@dataclass(frozen=True)
class Crossing:
    """Finds ways over the joints of a scene and says them as hops."""

    scene: Scene
    names: Names

    @cached_property
    def _around(self) -> Mapping[Node, list[tuple[Joint, Node]]]:
        around: dict[Node, list[tuple[Joint, Node]]] = {}
        for joint in self.scene.all_joints:
            around.setdefault(joint.a, []).append((joint, joint.b))
            around.setdefault(joint.b, []).append((joint, joint.a))
        return around

    def way(self, start: Node, goal: Node, *, holding: bool = True) -> list[tuple[Joint, Node]] | None:
        """The joints from one node to the other, each with the node behind it; None if there is no way.

        Without `holding`, joints count that would be there if everything ran.
        """
        came: dict[Node, tuple[Joint, Node] | None] = {start: None}
        waiting = deque([start])
        while waiting:
            node = waiting.popleft()
            if node == goal:
                return self._back(came, goal)
            for joint, other in self._around.get(node, ()):
                if other not in came and (not holding or self.scene.holds(joint)):
                    came[other] = (joint, node)
                    waiting.append(other)
        return None

    @staticmethod
    def _back(came: Mapping[Node, tuple[Joint, Node] | None], goal: Node) -> list[tuple[Joint, Node]]:
        steps: list[tuple[Joint, Node]] = []
        node = goal
        while (step := came[node]) is not None:
            steps.append((step[0], node))
            node = step[1]
        return steps[::-1]

    def hops(self, mine: Port, host: Host, other: Port, target: Host) -> list[Hop]:
        """The hops from one port to another; the last is broken if frames do not get there."""
        found = self.stands(mine, host)
        if mine.node is None or any(hop.ok is False for hop in found):
            return found
        if other.node is None:
            return [*found, *self.stands(other, target)]
        if mine.node == other.node:
            return [*found, *self.stands(other, target)]
        steps = self.way(mine.node, other.node) or self.way(mine.node, other.node, holding=False)
        if steps is None:
            if isinstance(mine.node, LooseEnd):
                return [self._alone(mine.node.interface, False)]
            if isinstance(other.node, LooseEnd):
                return [*found, self._alone(other.node.interface, False)]
            return [*found, self.ends(mine.node, other.node)]
        at = mine.node
        for joint, node in steps:
            hop = self._hop(joint, at, node)
            if hop is not None:
                found.append(hop)
                if hop.ok is not True:
                    return found
            at = node
        return [*found, *self.stands(other, target)]

    def stands(self, port: Port, host: Host) -> list[Hop]:
        """Where the host's port is."""
        key = port.interface
        if key is not None:
            name = self.names.end(key)
            if port.node is None or (isinstance(port.node, LooseEnd) and port.segment != NOWHERE):
                return [self._alone(key, port.node is not None)]
            where = Hop(
                f"{name} is in {self.names.node(port.node)}.", True, key, self._interface_evidence(key)
            )
            return [where, self._off(key)] if port.segment == NOWHERE else [where]
        if port.node is None:
            return []
        if isinstance(host.key, OtherHosts):
            return [Hop(f"Other hosts are on {self.names.node(port.node)}.")]
        link = port.links[0] if port.links else ""
        server = getattr(host.key, "id", 0)
        shows = (
            f"inet {port.texts[0]}" if port.texts else "no address; the server answers ARP there all the same"
        )
        return [
            Hop(
                f"{words.sentence(self.names.end(host.key))} itself is on {link}.",
                True,
                None,
                (Evidence(server, f"ip addr show dev {link}", shows),),
            )
        ]

    def _off(self, key: InterfaceKey) -> Hop:
        """An interface that somebody has switched off inside the container."""
        evidence = Evidence(key.server, f"ip link show dev {key.ifname}", "state DOWN", key.ctid)
        text = f"{words.sentence(self.names.end(key))} is switched off inside the Container."
        return Hop(text, False, key, (evidence,))

    def _alone(self, key: InterfaceKey, ok: bool) -> Hop:
        """An interface in no bridge: whatever it sends, its server alone hears."""
        text = f"{words.sentence(self.names.end(key))} is in no Virtual Network and no bridge."
        return Hop(text, ok, key, self._interface_evidence(key))

    def _interface_evidence(self, key: InterfaceKey) -> tuple[Evidence, ...]:
        view = self.names.interface(key)
        if view is None:
            return ()
        if not view.host_ifname:
            return (Evidence(key.server, f"vzlist -o ctid,status {key.ctid}", view.container_status),)
        shows = (
            f"{view.host_ifname}: master {view.bridge}" if view.bridge else f"{view.host_ifname}: no master"
        )
        return (Evidence(key.server, f"ip link show dev {view.host_ifname}", shows),)

    def _hop(self, joint: Joint, at: Node, node: Node) -> Hop | None:
        """A joint as a hop. A bridge inside a container is two joints: said once, when it is entered."""
        ok = self.scene.holds(joint)
        if isinstance(joint.by, AdapterKey):
            bridge, wire = (at, node) if isinstance(node, Wire | UnknownWire) else (node, at)
            return self._adapter_hop(joint.by, bridge, wire, ok)
        if isinstance(joint.by, ForeignBridge):
            return self._shared(joint.by, at, node)
        if not isinstance(node, InsideBridge):
            return None
        container = ContainerKey(joint.by.server, joint.by.ctid)
        view = self.scene.inventory.container(container)
        name = self.names.end(container)
        if not ok:
            status = view.status if view else "gone"
            return Hop(
                f"{name}, which bridges its interfaces, is {status}.",
                False,
                container,
                (Evidence(joint.by.server, f"vzlist -o ctid,status {joint.by.ctid}", status),),
            )
        group = view.joined[node.number] if view and node.number < len(view.joined) else ()
        return Hop(
            f"{name} bridges its interfaces {' and '.join(group)}.",
            True,
            container,
            (Evidence(joint.by.server, "ls /sys/class/net/*/brif", " ".join(group), joint.by.ctid),),
        )

    def _shared(self, bridge: ForeignBridge, at: Node, node: Node) -> Hop:
        """A bridge of somebody else that two networks would adopt."""
        both = words.listed([self.names.node(at), self.names.node(node)])
        held = [a.name for a in self.scene.inventory.adapters_on(bridge.server) if a.bridge == bridge.name]
        evidence = Evidence(bridge.server, f"ip link show master {bridge.name}", " ".join(held))
        text = f"{words.sentence(both)} are both in {self.names.node(bridge)}."
        return Hop(text, True, None, (evidence,))

    def _adapter_hop(self, key: AdapterKey, bridge: Node, wire: Node, ok: bool) -> Hop:
        scene = self.scene
        view = adapter_wanted(key, scene.before, scene.after, scene.inventory)
        seen = scene.inventory.adapter(key)
        name = self.names.adapter(key)
        if not ok:
            base = scene.inventory.adapter(AdapterKey(key.server, view.base)) if view and view.base else None
            weak = base if base is not None and (base.up is False or base.carrier is False) else seen
            state = "is switched off" if weak and weak.up is False else "has no signal on its cable"
            shows = f"{weak.name if weak else key.name}: " + (
                "state DOWN" if weak and weak.up is False else "NO-CARRIER"
            )
            where = self.names.adapter(weak.key) if weak else name
            evidence = Evidence(key.server, f"ip link show dev {weak.name if weak else key.name}", shows)
            return Hop(f"{words.sentence(where)} {state}.", False, key, (evidence,))
        master = f"{key.name}: master {seen.bridge}" if seen and seen.bridge else f"{key.name}: no master yet"
        evidence = Evidence(key.server, f"ip -d link show dev {key.name}", master)
        verb = "is assigned to" if isinstance(bridge, NetworkHere) else "holds"
        return Hop(
            f"{words.sentence(self.names.node(bridge))} {verb} {name}, which is on {self.names.node(wire)}.",
            True,
            key,
            (evidence,),
        )

    def ends(self, node: Node, goal: Node) -> Hop:
        """Why frames do not get from the node's segment to the goal's, though everything runs."""
        here, there = self.wires(node), self.wires(goal)
        if not here:
            return self._leads_nowhere(node)
        if not there:
            return self._leads_nowhere(goal)
        mine = words.listed([self.names.node(wire) for wire in here], 3)
        target = words.listed([self.names.node(wire) for wire in there], 3)
        proof = self._tags(node, goal)
        if any(isinstance(wire, UnknownWire) for wire in (*here, *there)):
            return Hop(f"Whether {mine} and {target} are one wire is unknown.", None, None, proof)
        # The manual says it of the network in the VLAN.
        sides = sorted(((node, mine, here), (goal, target, there)), key=lambda side: not _is_tagged(side[2]))
        for one, wire, _ in sides:
            if isinstance(one, NetworkHere):
                other = target if one is node else mine
                text = f"{self.names.node(one)} is isolated within {wire}, apart from {other}."
                return Hop(text, False, None, proof)
        return Hop(f"{words.sentence(mine)} and {target} are not one wire.", False, None, proof)

    def _tags(self, node: Node, goal: Node) -> tuple[Evidence, ...]:
        """By which adapter each side is on its wire, and with which VLAN id."""
        near, far = self._adapters(node), self._adapters(goal)
        # Of a wire that many servers are on, the adapter of the other side's server tells most.
        mine = next((key for key in near if not isinstance(node, Wire)), None)
        other = next((key for key in far if not isinstance(goal, Wire)), None)
        mine = mine or min(near, key=lambda key: other is None or key.server != other.server, default=None)
        other = other or min(far, key=lambda key: mine is None or key.server != mine.server, default=None)
        return tuple(self._tag(key) for key in dict.fromkeys((mine, other)) if key is not None)

    def _tag(self, key: AdapterKey) -> Evidence:
        view = self.scene.inventory.adapter(key)
        if view is None or view.gone:
            shows = f"{key.name} is not there yet"
        else:
            master = f"master {view.bridge}" if view.bridge else "no master"
            tag = f"vlan id {view.vid}" if view.kind == "vlan" else "no vlan id"
            shows = f"{key.name}: {master}, {tag}"
        return Evidence(key.server, f"ip -d link show dev {key.name}", shows)

    def _adapters(self, node: Node) -> list[AdapterKey]:
        """Adapters that lead from the node's segment to its wires, the nearest first."""
        found: list[AdapterKey] = []
        seen, waiting = {node}, deque([node])
        while waiting:
            for joint, other in self._around.get(waiting.popleft(), ()):
                if isinstance(joint.by, AdapterKey):
                    found.append(joint.by)
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return list(dict.fromkeys(found))

    def _leads_nowhere(self, node: Node) -> Hop:
        """A bridge without a network adapter."""
        if isinstance(node, NetworkHere):
            assignment = self.scene.after.assignment(node.network, node.server)
            bridge = (assignment.bridge if assignment else "") or self._bridge_name(node)
            text = f"{self.names.place(node)} is local: it is bridged to no network adapter there."
            shows = "no network adapter among its ports"
            evidence = (Evidence(node.server, f"ip link show master {bridge}", shows),) if bridge else ()
            return Hop(text, False, None, evidence)
        if isinstance(node, ForeignBridge):
            shows = "no network adapter among its ports"
            evidence = (Evidence(node.server, f"ip link show master {node.name}", shows),)
            return Hop(
                f"{words.sentence(self.names.node(node))} is local: it holds no network adapter.",
                False,
                None,
                evidence,
            )
        return Hop(f"{words.sentence(self.names.node(node))} leads nowhere else.", False)

    def wires(self, node: Node) -> list[Wire | UnknownWire]:
        """Wires on the node's segment, over what would be there if everything ran."""
        seen, waiting = {node}, [node]
        while waiting:
            for _, other in self._around.get(waiting.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return sorted((n for n in seen if isinstance(n, Wire | UnknownWire)), key=str)

    def _bridge_name(self, node: NetworkHere) -> str:
        network = self.scene.after.network(node.network)
        return network.bridge if network else ""


def _is_tagged(wires: list[Wire | UnknownWire]) -> bool:
    return all(isinstance(wire, Wire) and wire.vid > 0 for wire in wires)
