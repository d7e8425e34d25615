"""Servers that do not hear what is meant for them: two of their bridges have one hardware address.

A bridge has the hardware address of its adapter, and VLAN adapters have their base's. Where a container
bridges two networks of one server, a frame to the server's own stack on the one, coming over the other,
is taken by the bridge of the other. Whether an answer comes all the same depends on what neighbours
remember: it is not known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from networks.domain.inventory import ServerRef
from networks.domain.state import ServerId
from networks.domain.visibility.hosts import Host, Port, Scene
from networks.domain.wires import ForeignBridge, NetworkHere, Node


@dataclass(frozen=True)
class Shadows:
    """Finds them, in a scene. Costs nothing where no container bridges its interfaces."""

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
        for view in self.scene.inventory.adapters:
            if (node := self.scene.places.holder(view)) is not None:
                found.setdefault(node, set()).add((view.server, view.base or view.name))
        return {node: frozenset(bases) for node, bases in found.items()}

    def lies_on(self, a: Host, mine: Port, b: Host, other: Port) -> ServerRef | None:
        """The server of the two that would not hear the other over their ports; None if both do."""
        if not self._is_any_joined:
            return None
        for host, port, far in ((a, mine, other), (b, other, mine)):
            key = host.key
            if isinstance(key, ServerRef) and port.node and far.node:
                own = self._bases.get(port.node, frozenset())
                for node in self._way(port.node, far.node):
                    is_bridge = isinstance(node, NetworkHere | ForeignBridge) and node.server == key.id
                    if is_bridge and node != port.node and own & self._bases.get(node, frozenset()):
                        return key
        return None

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
        return found
