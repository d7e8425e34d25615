"""What would turn a "no" into a "yes": edits for a draft where the panel can, steps where a person must."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from networks.domain import words
from networks.domain.inventory import AdapterView, ContainerKey
from networks.domain.names import LINK_NAME_BYTES
from networks.domain.state import (
    AdapterKey,
    AddMember,
    Assign,
    CreateVlan,
    Edit,
    InterfaceKey,
    NetworkId,
    RemoveMember,
    ServerId,
)
from networks.domain.visibility.crossing import Crossing
from networks.domain.visibility.giving import Giving, gives_host_routed
from networks.domain.visibility.hosts import NOWHERE, Host, Port
from networks.domain.visibility.naming import Names
from networks.domain.visibility.paths import Way
from networks.domain.visibility.verdict import DefaultRoute, Fix, Forwards, Masquerades
from networks.domain.visibility.world import World
from networks.domain.wires import NetworkHere, UnknownWire, Wire, wire_of

MOST_ADAPTERS = 3
"""So many network adapters are offered for one network."""


@dataclass(frozen=True)
class Fixer:
    """Finds fixes for one pair that does not see each other."""

    world: World
    names: Names
    crossing: Crossing

    @cached_property
    def _giving(self) -> Giving:
        return Giving(self.world, self.names)

    def fixes(self, a: Host, b: Host, mine: Port | None, other: Port | None, way: Way) -> tuple[Fix, ...]:
        """Fixes, the panel's own first; none twice."""
        found = (
            list(self._apart(a, b, mine, other)) if way.code == "apart" else list(self._by_hand(a, b, way))
        )
        # What the panel does in a draft first; host-routed addresses go round what is broken instead.
        found.sort(key=lambda fix: not fix.edits or gives_host_routed(fix))
        return tuple(dict.fromkeys(found))

    # --- nothing joins the two ---

    def _apart(self, a: Host, b: Host, mine: Port | None, other: Port | None) -> Iterator[Fix]:
        for host, port, far in ((a, mine, other), (b, other, mine)):
            if port is None or far is None or far.node is None:
                continue
            if port.interface is not None and port.segment == NOWHERE:
                yield self._switch_on(port.interface)
            yield from self._mend_joints(port, far)
            if isinstance(port.node, NetworkHere):
                yield from self._adapters(port.node, far)
            yield from self._join(host, port, far)
        for host, peer, port in ((a, b, mine), (b, a, other)):
            yield from self._giving.host_routed(host)
            if port is not None:
                yield from self._routers(host, peer, port)

    def _mend_joints(self, port: Port, far: Port) -> Iterator[Fix]:
        """Everything is joined as it should be, but something on the way does not run."""
        if port.node is None or far.node is None:
            return
        for joint, _ in self.crossing.way(port.node, far.node, holding=False) or ():
            if self.world.scene.holds(joint):
                continue
            if isinstance(joint.by, AdapterKey):
                yield Fix(
                    f"Bring {self.names.adapter(joint.by)} up",
                    steps=(
                        f"On the server: ip link set dev {joint.by.name} up",
                        "If it has no signal then, check its cable and its port at the switch.",
                    ),
                )
            elif isinstance(joint.by, InterfaceKey):
                yield self._start(ContainerKey(joint.by.server, joint.by.ctid))

    def _switch_on(self, key: InterfaceKey) -> Fix:
        step = f"In the Container: ip link set dev {key.ifname} up, and the same in its own network files."
        return Fix(f"Switch {self.names.end(key)} on", steps=(step,))

    def _start(self, key: ContainerKey) -> Fix:
        step = f"On the server: vzctl start {key.ctid}"
        return Fix(f"Start {self.names.end(key)}", steps=(step,))

    def _adapters(self, here: NetworkHere, far: Port) -> Iterator[Fix]:
        """Assign a local network to an adapter of a wire that the other is on."""
        if far.node is None or self.crossing.wires(here):
            return
        wires = [wire for wire in self.crossing.wires(far.node) if isinstance(wire, Wire)]
        network = self.names.network(here.network)
        free = [
            view for view in self._free(here.server) if wire_of(view, self.world.scene.inventory) in wires
        ]
        for view in free[:MOST_ADAPTERS]:
            yield Fix(
                f"Assign {network} to {self.names.adapter(view.key)}",
                (Assign(here.network, here.server, view.name),),
            )
        if not free:
            yield from self._new_vlan(here, [wire for wire in wires if wire.vid])

    def _free(self, server: ServerId) -> list[AdapterView]:
        """Adapters of the server that a network can be assigned to, by name."""
        scene = self.world.scene
        taken = {key.name for key in scene.places.assigned if key.server == server}
        return sorted(
            (
                view
                for view in scene.inventory.adapters_on(server)
                if view.name not in taken and not view.is_slave
            ),
            key=lambda view: view.name,
        )

    def _new_vlan(self, here: NetworkHere, wires: list[Wire]) -> Iterator[Fix]:
        inventory = self.world.scene.inventory
        for wire in wires:
            for base in inventory.adapters_on(here.server):
                name = f"{base.name}.{wire.vid}"
                is_fit = base.kind != "vlan" and base.segment == wire.segment and not base.is_slave
                if (
                    not is_fit
                    or len(name) > LINK_NAME_BYTES
                    or inventory.adapter(AdapterKey(here.server, name))
                ):
                    continue
                yield Fix(
                    f"Create VLAN adapter {name} on {words.server(here.server, inventory)} and assign "
                    f"{self.names.network(here.network)} to it",
                    (
                        CreateVlan(here.server, name, base.name, wire.vid),
                        Assign(here.network, here.server, name),
                    ),
                )

    def _join(self, host: Host, port: Port, far: Port) -> Iterator[Fix]:
        """Put the interface into a network that the other can be reached in from this server."""
        if port.interface is None or far.node is None:
            return
        after = self.world.scene.after
        old = after.memberships(port.interface)
        target = self.world.scene.segment(far.node)
        for network in self._networks_on(port.interface.server, target):
            if any(member.network == network for member in old):
                continue
            edits: tuple[Edit, ...] = (AddMember(network, port.interface),)
            if old:
                edits = (RemoveMember(port.interface), *edits)
            yield Fix(
                f"{'Move' if old else 'Add'} {self.names.end(port.interface)} to "
                f"{self.names.network(network)}",
                edits,
            )

    def _networks_on(self, server: ServerId, segment: int) -> list[NetworkId]:
        """Networks that are on that segment on the server."""
        scene = self.world.scene
        return [
            network
            for network in scene.after.networks_on(server)
            if scene.segment(NetworkHere(network, server)) == segment
        ][:MOST_ADAPTERS]

    def _routers(self, host: Host, peer: Host, port: Port) -> Iterator[Fix]:
        """Make a container that stands in both worlds a router: what 303 would need 302 for."""
        if not isinstance(host.key, ContainerKey):
            return
        zones = self.world.zones(peer)
        for fellow in self.world.on_segment.get(port.segment, ()):
            router = fellow.key
            if not isinstance(router, ContainerKey) or router in (host.key, peer.key):
                continue
            if fellow.up and self.world.zones(fellow) & zones:
                yield self._router(host.key, fellow, router, port)
                return

    def _router(self, host: ContainerKey, fellow: Host, router: ContainerKey, port: Port) -> Fix:
        inner = next((ip for p in fellow.ports if p.segment == port.segment for ip in p.addresses), None)
        own = next((ip for ip in port.addresses if inner and ip.covers(inner)), None)
        out = "venet0" if fellow.host_routed else "its other interface"
        name, me = self.names.end(router, short=True), self.names.end(host, short=True)
        subnet = own.subnet if own else "the inner subnet"
        steps = [
            f"In {name}: sysctl -w net.ipv4.ip_forward=1, and the same line in its /etc/sysctl.conf.",
            f"In {me}: ip route {self._verb(host)} default via {inner or 'the address of ' + name}.",
            f"For the way back, in {name}: iptables -t nat -A POSTROUTING -s {subnet} -o {out} "
            f"-j MASQUERADE; or give every other host a route to {subnet}.",
        ]
        is_plain = inner is not None and own is not None and inner.version == 4 and port.interface is not None
        by_hand = (
            (
                Forwards(router),
                DefaultRoute(host, str(inner), port.links[0]),
                Masquerades(router, host),
            )
            if is_plain
            else ()
        )
        return Fix(f"Make {name} a router for {me}", steps=tuple(steps), by_hand=by_hand)

    def _verb(self, key: ContainerKey) -> str:
        """There is one default route: a second is not added."""
        routing = self.world.hosts[key].routing
        return "replace" if routing and any(r.dst == "default" for r in routing.routes) else "add"

    # --- joined, but a packet does not get through ---

    def _by_hand(self, a: Host, b: Host, way: Way) -> Iterator[Fix]:
        key = way.at
        name = self.names.end(key, short=True) if key else ""
        match way.code:
            case "down" if isinstance(key, ContainerKey):
                yield self._start(key)
            case "no-address":
                host = a if a.key == key else b
                yield self._giving.beside(host, a if host is b else b) or Fix(
                    f"Set an IP address in {name}", steps=("Choose one of the subnet of its neighbours.",)
                )
            case "no-route" | "nobody-answers" | "others-unknown":
                yield from self._giving.same_subnet(a, b)
                if isinstance(key, ContainerKey):
                    yield from self._giving.host_routed(self.world.hosts[key])
            case "no-common-version":
                # Addresses that the panel proposes are IPv4's, so they are for the one that has none.
                has_4 = any(ip.version == 4 for ip in a.addresses)
                yield from self._giving.same_subnet(*((b, a) if has_4 else (a, b)))
            case "not-forwarding":
                step = f"In {name}: sysctl -w net.ipv4.ip_forward=1, if it is meant to be a router."
                by_hand = (Forwards(key),) if isinstance(key, ContainerKey) else ()
                yield Fix(f"Let {name} forward packets", steps=(step,), by_hand=by_hand)
            case "clash":
                yield Fix(
                    f"Give each machine its own IP address instead of {way.address}",
                    steps=("Change it in the Container that should not have it.",),
                )
            case "segment-unknown":
                for wire in self._unknown(a, b):
                    yield Fix(
                        f"Say on which physical segment {self.names.adapter(wire.adapter)} is",
                        steps=("In the administration, at the network adapter.",),
                    )
            case _:
                return

    def _unknown(self, a: Host, b: Host) -> list[UnknownWire]:
        found = [
            wire
            for host in (a, b)
            for port in host.ports
            if port.node is not None
            for wire in self.crossing.wires(port.node)
            if isinstance(wire, UnknownWire)
        ]
        return list(dict.fromkeys(found))[:MOST_ADAPTERS]
