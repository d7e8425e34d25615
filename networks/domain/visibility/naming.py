"""How sentences name hosts, bridges and wires; what a reader may not see is counted, not named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from networks.domain import words
from networks.domain.inventory import ContainerKey, InterfaceView, ServerRef
from networks.domain.state import AdapterKey, InterfaceKey, NetworkId, ServerId
from networks.domain.visibility.hosts import Scene
from networks.domain.visibility.verdict import EndPoint, OtherHosts
from networks.domain.wires import (
    ForeignBridge,
    InsideBridge,
    LooseEnd,
    NetworkHere,
    Node,
    UnknownWire,
    Wire,
)


@dataclass(frozen=True)
class Names:
    """Names for one scene. `bridges` says which network a bridge is, for a scene of what was observed."""

    scene: Scene
    bridges: Mapping[tuple[ServerId, str], str] = field(default_factory=dict)

    @cached_property
    def segments(self) -> Mapping[int, str]:
        """Names of physical segments."""
        return {a.segment: a.segment_name for a in self.scene.inventory.adapters if a.segment is not None}

    def end(self, key: EndPoint, *, short: bool = False) -> str:
        """ "Container 303 on physical server server3", without its server where `short`."""
        inventory = self.scene.inventory
        match key:
            case ContainerKey():
                return words.short_container(key, inventory) if short else words.container(key, inventory)
            case InterfaceKey():
                return words.interface(key, inventory)
            case ServerRef(server):
                return words.server(server, inventory)
            case OtherHosts(segment):
                named = self.segments.get(segment, "")
                return f"other hosts on “{named}”" if named and not short else "other hosts"

    def network(self, network: NetworkId) -> str:
        return words.network(network, self.scene.after, self.scene.before)

    def node(self, node: Node) -> str:
        """What frames meet in, as a noun."""
        inventory = self.scene.inventory
        match node:
            case NetworkHere(network):
                return self.network(network)
            case ForeignBridge(server, name):
                if (server, name) in self.bridges:
                    return self.bridges[server, name]
                if server in inventory.hidden:
                    return f"a bridge of {words.server(server, inventory)}"
                return f"bridge {name} of {words.server(server, inventory)}"
            case UnknownWire(key):
                return f"the unknown physical segment of {words.adapter(key, inventory)}"
            case InsideBridge(server, ctid):
                return f"a bridge inside {words.short_container(ContainerKey(server, ctid), inventory)}"
            case LooseEnd(key):
                return f"the host side of {words.interface(key, inventory)}"
            case Wire(segment, vid):
                named = f"“{self.segments.get(segment, segment)}”"
                return f"VLAN {vid} of {named}" if vid else f"{named}, untagged"

    def place(self, node: NetworkHere | ForeignBridge) -> str:
        """A bridge with its server."""
        if isinstance(node, NetworkHere):
            return f"{self.node(node)} on {words.server(node.server, self.scene.inventory)}"
        return self.node(node)

    def adapter(self, key: AdapterKey) -> str:
        return words.adapter(key, self.scene.inventory)

    def interface(self, key: InterfaceKey) -> InterfaceView | None:
        return self.scene.inventory.interface(key)
