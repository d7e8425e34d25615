"""Frames that get lost: whether an answer comes is not known.

Shadows: a bridge has the hardware address of its adapter, and VLAN adapters have their base's. Where a
container joins two networks of one server, a frame to the server's own stack on the one (a bridge, or the NIC
itself), coming over the other, is taken by the bridge of the other. What comes of it depends on what
neighbours remember.

Echoes: where a container anywhere joins a VLAN to its own untagged segment, what is sent to all comes back
with a tag. A bridge that holds the NIC and does not filter tags (one that the panel did not make) takes the
echo of its own containers for them, and learns them on the wrong port until they send again: it keeps one
table for all VLANs (Linux net/bridge/br_fdb.c, vlan_filtering 0).

Twins: where two containers on one segment have one hardware address, bridges send what is for the one to
whichever of them spoke last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from networks.domain.inventory import AdapterView, ServerRef
from networks.domain.state import AdapterKey, InterfaceKey, ServerId
from networks.domain.visibility.hosts import NOWHERE, Host, Port, Scene
from networks.domain.wires import ForeignBridge, NetworkHere, Node, Wire, adapter_wanted


@dataclass(frozen=True)
class Shadows:
    """Finds them, in a scene. The first two cost nothing where no container bridges its interfaces."""

    scene: Scene

    @cached_property
    def _is_any_joined(self) -> bool:
        """Whether a running container anywhere bridges its interfaces."""
        return any(c.joined and c.status == "running" for c in self.scene.inventory.containers)

    @cached_property
    def _around(self) -> Mapping[Node, list[Node]]:
        around: dict[Node, list[Node]] = {}
        for joint in self.scene.layer2.joints:
            around.setdefault(joint.a, []).append(joint.b)
            around.setdefault(joint.b, []).append(joint.a)
        return around

    @cached_property
    def _bases(self) -> Mapping[Node, frozenset[tuple[ServerId, str]]]:
        """NICs and bonds whose hardware address a bridge has."""
        found: dict[Node, set[tuple[ServerId, str]]] = {}
        for view in self.scene.adapters:
            if (node := self.scene.places.holder(view)) is not None:
                found.setdefault(node, set()).add((view.server, view.base or view.name))
        return {node: frozenset(bases) for node, bases in found.items()}

    def _bases_of(self, server: ServerId, port: Port) -> frozenset[tuple[ServerId, str]]:
        """The same of an adapter that is in no bridge, where the server's own address may be as well."""
        scene, keys = self.scene, [AdapterKey(server, link) for link in port.links]
        views = [adapter_wanted(key, scene.before, scene.after, scene.inventory) for key in keys]
        return frozenset((server, view.base or view.name) for view in views if view is not None)

    @cached_property
    def twins(self) -> Mapping[tuple[int, str], frozenset[InterfaceKey]]:
        """Interfaces of different containers with one hardware address on one segment: (segment, address)."""
        first: dict[tuple[int, str], InterfaceKey] = {}
        found: dict[tuple[int, str], set[InterfaceKey]] = {}
        for host in self.scene.hosts.values():
            for port in host.ports if host.up is not False else ():
                if not port.mac or port.interface is None or port.segment == NOWHERE:
                    continue
                other = first.setdefault((port.segment, port.mac), port.interface)
                if (other.server, other.ctid) != (port.interface.server, port.interface.ctid):
                    found.setdefault((port.segment, port.mac), {other}).add(port.interface)
        return {place: frozenset(keys) for place, keys in found.items()}

    def is_twin(self, port: Port) -> bool:
        """Whether another container on its segment has the hardware address of the port."""
        return bool(self.twins) and (port.segment, port.mac) in self.twins

    @cached_property
    def crossed(self) -> frozenset[int]:
        """Segments where what a host hears depends on the bridge that it is behind."""
        if not self._is_any_joined:
            return frozenset()
        scene = self.scene
        nodes: dict[tuple[int, tuple[ServerId, str]], set[Node]] = {}
        for view in scene.adapters:
            node = scene.places.holder(view) or scene.places.wire(view)
            place = (scene.segment(node), (view.server, view.base or view.name))
            nodes.setdefault(place, set()).add(node)
        return frozenset(scene.segment(node) for node in self._echoing) | frozenset(
            segment for (segment, _), found in nodes.items() if len(found) > 1
        )

    def lies_on(self, a: Host, mine: Port, b: Host, other: Port) -> ServerRef | None:
        """The server of the two that would not hear the other over their ports; None if both do."""
        if not self._is_any_joined:
            return None
        for host, port, far in ((a, mine, other), (b, other, mine)):
            key = host.key
            if isinstance(key, ServerRef) and port.node and far.node:
                own = self._bases.get(port.node) or self._bases_of(key.id, port)
                for node in self._way(port.node, far.node):
                    is_bridge = isinstance(node, NetworkHere | ForeignBridge) and node.server == key.id
                    if is_bridge and node != port.node and own & self._bases.get(node, frozenset()):
                        return key
        return None

    def echoes(self, a: Host, mine: Port, other: Port) -> ServerRef | None:
        """The server whose bridge may send answers to the first the wrong way; None if none does."""
        if not self._is_any_joined or mine.node is None or other.node is None or not self._echoing:
            return None
        way = self._way(mine.node, other.node)
        for node, wire in pairwise(way):
            if isinstance(node, NetworkHere | ForeignBridge) and wire in self._echoing.get(node, ()):
                # The bridge knows its own address by heart.
                is_own = a.key == ServerRef(node.server) and node == mine.node
                return None if is_own else ServerRef(node.server)
        return None

    @cached_property
    def _echoing(self) -> Mapping[Node, frozenset[Node]]:
        """Bridges that do not filter tags, with the wires that send them their own frames back."""
        found: dict[Node, set[Node]] = {}
        scene = self.scene
        taken = {(view.server, view.base, view.vid) for view in scene.adapters if view.kind == "vlan"}
        tagged: dict[int, set[Wire]] = {}
        for joint in scene.layer2.joints:
            for node in (joint.a, joint.b):
                if isinstance(node, Wire) and node.vid:
                    tagged.setdefault(scene.segment(node), set()).add(node)
        for view in scene.adapters:
            if view.kind == "vlan" or view.segment is None:
                continue
            wire, bridge = Wire(view.segment), scene.places.holder(view)
            back = {
                vlan.vid
                for vlan in tagged.get(scene.segment(wire), ())
                if vlan.segment == view.segment and (view.server, view.name, vlan.vid) not in taken
            }
            if bridge is not None and back and not self._filters(bridge, view):
                found.setdefault(bridge, set()).add(wire)
        return {node: frozenset(wires) for node, wires in found.items()}

    def _filters(self, node: Node, view: AdapterView) -> bool:
        """Whether the bridge keeps VLANs apart: the panel has its own do so, where the kernel can."""
        known, place = self.scene.inventory, (view.server, view.bridge)
        if isinstance(node, NetworkHere) and place not in self.scene.places.adopted:
            server = known.server(view.server)
            return server is not None and server.filters_tags is True
        return any(
            seen.filters_tags is True for seen in known.bridge_views if (seen.server, seen.name) == place
        )

    def _way(self, start: Node, goal: Node) -> list[Node]:
        """The nodes from the one to the other; there are no rings."""
        came: dict[Node, Node | None] = {start: None}
        waiting = deque([start])
        while waiting and goal not in came:
            node = waiting.popleft()
            for next_one in self._around.get(node, ()):
                if next_one not in came:
                    came[next_one] = node
                    waiting.append(next_one)
        found: list[Node] = []
        at: Node | None = goal if goal in came else None
        while at is not None:
            found.append(at)
            at = came[at]
        return found[::-1]
