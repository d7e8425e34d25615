"""Who is there, and where each stands on layer 2: containers, servers' own stacks, other hosts.

A host has ports; a port is on one layer-2 segment, a number of `Layer2`. What does not run has ports as well,
but `up` says that nobody answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from networks.domain.inventory import (
    AdapterView,
    BridgeView,
    ContainerKey,
    ContainerView,
    InterfaceView,
    Inventory,
    RoutingView,
    ServerRef,
    ServerView,
)
from networks.domain.state import AdapterKey, Desired, InterfaceKey, ServerId, grouped
from networks.domain.visibility.addresses import Ip, read_all
from networks.domain.visibility.building import uncollected
from networks.domain.visibility.verdict import HostKey, OtherHosts
from networks.domain.wires import (
    ForeignBridge,
    Joint,
    Layer2,
    LooseEnd,
    NetworkHere,
    Node,
    Places,
    UnknownWire,
    Wire,
    adapter_wanted,
    is_made_by_others,
)


@dataclass(frozen=True)
class Port:
    """A host's place on a segment. `node` is the bridge or wire it stands on, None if on none.

    `links` are the names it has on its machine: a bridge with its adapters, or the interface. `known`: the
    addresses are; `answers`: it answers ARP though it has no address itself (a plain bridge of a server, its
    end of a container interface that is in no bridge, an adapter that is in none). `mac` is told of container
    interfaces alone.
    """

    node: Node | None
    segment: int
    links: tuple[str, ...]
    texts: tuple[str, ...] = ()
    known: bool = True
    interface: InterfaceKey | None = None
    answers: bool = False
    mac: str = ""

    @cached_property
    def addresses(self) -> tuple[Ip, ...]:
        return read_all(self.texts) if self.known else ()


@dataclass(frozen=True)
class Host:
    """One machine with a network of its own. `up` None: whether it runs is not known.

    `host_routed` are addresses that its server `uplink` routes to it. `routing` None: not known.
    """

    key: HostKey
    ports: tuple[Port, ...] = ()
    up: bool | None = True
    host_routed: tuple[str, ...] = ()
    uplink: ServerId | None = None
    routing: RoutingView | None = None

    @cached_property
    def routed(self) -> tuple[Ip, ...]:
        return read_all(self.host_routed)

    @cached_property
    def addresses(self) -> tuple[Ip, ...]:
        """Every address of the host, each once, in the order of its ports."""
        if len(self.ports) == 1 and not self.host_routed:
            return self.ports[0].addresses
        return tuple(dict.fromkeys([ip for port in self.ports for ip in port.addresses] + [*self.routed]))

    @property
    def known(self) -> bool:
        """Whether all addresses are known."""
        return all(port.known for port in self.ports)

    def forwards(self, version: int) -> bool | None:
        """Whether it routes between its interfaces; None where nobody has looked."""
        return None if self.routing is None else version in self.routing.forwards


NOWHERE = -1
"""The segment of a port that is switched off, or has no signal: it shares it with nobody."""


def carries(key: AdapterKey, before: Desired, after: Desired, inventory: Inventory) -> bool:
    """Whether frames pass the adapter: it is switched on and its cable, or its base's, has a signal."""
    view = adapter_wanted(key, before, after, inventory)
    if view is None:
        return False
    base = inventory.adapter(AdapterKey(view.server, view.base)) if view.kind == "vlan" else None
    if base is not None and (base.gone or not _has_signal(base, before, after, inventory)):
        return False
    return _has_signal(view, before, after, inventory)


def _has_signal(view: AdapterView, before: Desired, after: Desired, inventory: Inventory) -> bool:
    """Switched on, now or by the Change; whether there is a signal is only told of what is on already.

    VLAN adapters come up with their base (vlan_device_event in net/8021q/vlan.c).
    """
    if view.up is False:
        return not {view.name, view.base}.isdisjoint(_switched_on(view.server, before, after, inventory))
    return view.carrier is not False


def _switched_on(server: ServerId, before: Desired, after: Desired, inventory: Inventory) -> set[str]:
    """Adapters that the Change from one to the other switches on, whoever has switched them off.

    It does so to those that it assigns, but for adopting a bridge; to VLAN adapters of ours that it makes or
    assigns, and to their bases (networks/host/compose.awk, step_bridge and step_vlan).
    """
    names = set()
    for new in {*after.assignments_on(server)} - {*before.assignments_on(server)}:
        seen = inventory.adapter(AdapterKey(server, new.adapter or ""))
        holder = seen.bridge if seen is not None and not seen.gone else ""
        if new.adapter and not (new.bridge or is_made_by_others(holder, before, after)):
            names.add(new.adapter)
    made = {*after.vlans_on(server)} - {*before.vlans_on(server)}
    made |= {vlan for vlan in after.vlans_on(server) if vlan.name in names}
    return names | {name for vlan in made for name in (vlan.name, vlan.base)}


@dataclass(frozen=True)
class Scene:
    """The graph of what carries frames, and every host on it."""

    before: Desired
    after: Desired
    inventory: Inventory

    @cached_property
    def places(self) -> Places:
        return Places(self.before, self.after, self.inventory)

    @cached_property
    def all_joints(self) -> tuple[Joint, ...]:
        """Joints as they would be if everything ran."""
        return tuple(self.places.joints())

    @cached_property
    def layer2(self) -> Layer2:
        """Only what carries frames now: running containers, adapters with a signal."""
        return Layer2(tuple(joint for joint in self.all_joints if self.holds(joint)))

    def holds(self, joint: Joint) -> bool:
        """Whether the joint passes frames on."""
        if isinstance(joint.by, ForeignBridge):
            return True
        if isinstance(joint.by, AdapterKey):
            return carries(joint.by, self.before, self.after, self.inventory)
        container = self.inventory.container(ContainerKey(joint.by.server, joint.by.ctid))
        return (
            container is not None and container.status == "running" and joint.by.ifname not in container.off
        )

    @cached_property
    def adapters(self) -> tuple[AdapterView, ...]:
        """As they will be: with VLAN adapters that the state makes, without those that it takes away."""
        seen = [view.key for view in self.inventory.adapters]
        keys = dict.fromkeys([*seen, *(AdapterKey(vlan.server, vlan.name) for vlan in self.after.vlans)])
        wanted = (adapter_wanted(key, self.before, self.after, self.inventory) for key in keys)
        return tuple(view for view in wanted if view is not None)

    def segment(self, node: Node | None) -> int:
        return NOWHERE if node is None else self.layer2.segment(node)

    @cached_property
    @uncollected()
    def hosts(self) -> Mapping[HostKey, Host]:
        """Every host by its key."""
        found: dict[HostKey, Host] = {}
        interfaces = grouped(
            (i for i in self.inventory.interfaces if not (i.gone or i.key in self.after.gone_interfaces)),
            lambda i: (i.key.server, i.key.ctid),
        )
        for container in self.inventory.containers:
            host = self._container(container, interfaces.get((container.server, container.ctid), ()))
            found[host.key] = host
        adapters = grouped(self.adapters, lambda a: a.server)
        bridges = grouped(self.inventory.bridge_views, lambda b: b.server)
        loose = self._loose_ends(found.values())
        for server in self.inventory.servers:
            key = ServerRef(server.id)
            here = self._server_ports(server, adapters.get(server.id, []), bridges.get(server.id, []))
            # Of several on one segment it speaks from one with an address, whatever their order was found.
            ports = (*sorted(here, key=lambda port: port.answers), *loose.get(server.id, ()))
            found[key] = Host(key, ports, True, routing=server.routing)
        for segment in sorted({a.segment for a in self.inventory.adapters if a.segment is not None}):
            wire = Wire(segment)
            others = OtherHosts(segment)
            found[others] = Host(others, (Port(wire, self.segment(wire), (), known=False),))
        return found

    def _container(
        self, container: ContainerView, interfaces: list[InterfaceView] | tuple[InterfaceView, ...]
    ) -> Host:
        ports = []
        for view in interfaces:
            if view.mode == "host-routed":
                continue
            # In two networks at once is refused; what such a state shows is all of them.
            for node in self.places.stand(view.key) or (None,):
                is_off = view.key.ifname in container.off
                ports.append(
                    Port(
                        node,
                        NOWHERE if is_off else self.segment(node),
                        (view.key.ifname,),
                        () if is_off else view.addresses,
                        is_off or view.addresses_known,
                        view.key,
                        mac=view.mac,
                    )
                )
        return Host(
            container.key,
            tuple(ports),
            None if container.status == "unknown" else container.status == "running",
            container.host_routed,
            container.server if container.host_routed else None,
            container.routing,
        )

    def _loose_ends(self, containers: Iterable[Host]) -> Mapping[ServerId, list[Port]]:
        """The servers' ends of interfaces that are in no bridge. A stopped container's are not there."""
        found: dict[ServerId, list[Port]] = {}
        for host in containers:
            for port in host.ports:
                if isinstance(port.node, LooseEnd) and port.segment != NOWHERE and host.up is not False:
                    key = port.node.interface
                    view = self.inventory.interface(key)
                    links = (view.host_ifname,) if view and view.host_ifname else ()
                    found.setdefault(key.server, []).append(
                        Port(port.node, port.segment, links, answers=True)
                    )
        return found

    def _server_ports(
        self, server: ServerView, adapters: list[AdapterView], bridges: list[BridgeView]
    ) -> Iterator[Port]:
        for view in adapters:
            if view.addresses:
                node: Node | None = self.places.holder(view) or self.places.wire(view)
                up = carries(view.key, self.before, self.after, self.inventory)
                segment = self.segment(node) if up or not isinstance(node, Wire | UnknownWire) else NOWHERE
                yield Port(node, segment, (view.name,), view.addresses)
        for bridge in bridges:
            node = self.bridge_node(bridge)
            links = (bridge.name, *(a.name for a in self._held.get((server.id, bridge.name), ())))
            if node is not None and bridge.addresses:
                yield Port(node, self.segment(node), links, bridge.addresses)
            elif bridge.answers and self._is_somebody_elses(bridge):
                yield Port(node, self.segment(node), links, answers=True)
        for view in adapters:
            is_bare = not view.addresses and not view.is_slave and self.places.holder(view) is None
            if is_bare and carries(view.key, self.before, self.after, self.inventory):
                # In no bridge and without an address, Linux answers ARP on it all the same.
                wire = self.places.wire(view)
                yield Port(wire, self.segment(wire), (view.name,), answers=True)

    def _is_somebody_elses(self, bridge: BridgeView) -> bool:
        """The panel's own bridges do not answer for the server: isolation is made, not assumed."""
        adopted = (bridge.server, bridge.name) in self.places.adopted
        return adopted or self.places.is_foreign(bridge.name, bridge.server)

    @cached_property
    def _held(self) -> Mapping[tuple[ServerId, str], list[AdapterView]]:
        held = (a for a in self.inventory.adapters if a.bridge and not a.gone)
        return grouped(held, lambda a: (a.server, a.bridge))

    def bridge_node(self, bridge: BridgeView) -> Node | None:
        """Where the server's stack on a bridge stands: its addresses follow its adapter when that moves."""
        if adapters := self._held.get((bridge.server, bridge.name)):
            first = adapters[0]
            return self.places.holder(first) or self.places.wire(first)
        if self.places.is_foreign(bridge.name, bridge.server):
            return self.places.of_bridge(bridge.server, bridge.name)
        for network in self.after.networks_on(bridge.server):
            found = self.after.network(network)
            assignment = self.after.assignment(network, bridge.server)
            if found and bridge.name in (found.bridge, assignment.bridge if assignment else ""):
                return NetworkHere(network, bridge.server)
        return None


def on_interface(host: Host, interface: InterfaceKey) -> Host:
    """The container as it is on one interface alone."""
    ports = tuple(port for port in host.ports if port.interface == interface)
    if ports:
        return replace(host, ports=ports, host_routed=(), uplink=None)
    return replace(host, ports=())
