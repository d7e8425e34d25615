"""Indexes over a scene: who is on a segment, who answers for an address, what is joined by routers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import ServerId, grouped
from networks.domain.visibility.addresses import BITS, Ip, read, read_route
from networks.domain.visibility.building import uncollected
from networks.domain.visibility.hosts import NOWHERE, Host, Port, Scene
from networks.domain.visibility.shadows import Shadows
from networks.domain.visibility.verdict import HostKey, OtherHosts
from networks.domain.wires import LooseEnd, UnknownWire, Wire, adapter_wanted

Zone = int | tuple[str, ServerId]
"""A segment, or what a server routes to its containers."""


@dataclass(frozen=True)
class World:
    """Everything that one state says, indexed on first use."""

    scene: Scene

    @cached_property
    def shadows(self) -> Shadows:
        return Shadows(self.scene)

    @property
    def hosts(self) -> Mapping[HostKey, Host]:
        return self.scene.hosts

    @cached_property
    def on_segment(self) -> Mapping[int, list[Host]]:
        """Hosts by segment, each once."""
        found: dict[int, dict[HostKey, Host]] = {}
        for host in self.hosts.values():
            for port in host.ports:
                if port.segment != NOWHERE:
                    found.setdefault(port.segment, {})[host.key] = host
        return {segment: list(by_key.values()) for segment, by_key in found.items()}

    @cached_property
    @uncollected()
    def answering(self) -> Mapping[tuple[int, int, int], list[HostKey]]:
        """Who answers for (segment, IP version, address): its owners, and servers for what they route.

        Linux answers ARP for every IPv4 address it has, on whatever interface it is asked; neighbour
        discovery of IPv6 is stricter (Linux Documentation/networking/ip-sysctl.rst, arp_ignore).
        """
        found: dict[tuple[int, int, int], list[HostKey]] = {}
        for host in self.hosts.values():
            if host.up is False or isinstance(host.key, OtherHosts):
                continue
            if isinstance(host.key, ContainerKey) and len(host.ports) == 1:
                # By far the most, and simple: every address answers on the one port there is.
                port = host.ports[0]
                for ip in host.addresses if port.segment != NOWHERE else ():
                    if ip.version == 4 or ip in port.addresses:
                        keys = found.setdefault((port.segment, ip.version, ip.value), [])
                        if not keys or keys[-1] is not host.key:
                            keys.append(host.key)
                continue
            every = [ip for ip in host.addresses if ip.version == 4]
            for port in host.ports:
                if port.segment == NOWHERE:
                    continue
                mine = [*every, *(ip for ip in port.addresses if ip.version == 6), *self._proxied(host, port)]
                for ip in mine:
                    keys = found.setdefault((port.segment, ip.version, ip.value), [])
                    if host.key not in keys:
                        keys.append(host.key)
        return found

    @cached_property
    def owners(self) -> Mapping[tuple[int, int], list[HostKey]]:
        """Who has an address, wherever that is and whether or not it answers there: (IP version, number)."""
        found: dict[tuple[int, int], list[HostKey]] = {}
        for host in self.hosts.values():
            for ip in host.addresses:
                found.setdefault((ip.version, ip.value), []).append(host.key)
        return found

    def _proxied(self, host: Host, port: Port) -> list[Ip]:
        """Addresses that a server answers for on that port."""
        if not isinstance(host.key, ServerRef) or host.routing is None:
            return []
        proxied = ((read(text), link) for text, link in host.routing.proxies)
        return [
            ip
            for ip, link in proxied
            if ip and (link in port.links or any(own.covers(ip) for own in port.addresses))
        ]

    @cached_property
    def routed_by(self) -> Mapping[ServerId, Mapping[tuple[int, int], ContainerKey]]:
        """By server: the running container for each (IP version, host-routed address)."""
        found: dict[ServerId, dict[tuple[int, int], ContainerKey]] = {}
        for host in self.hosts.values():
            if host.uplink is not None and host.up is not False and isinstance(host.key, ContainerKey):
                mine = found.setdefault(host.uplink, {})
                mine.update({(ip.version, ip.value): host.key for ip in host.routed})
        return found

    @cached_property
    def wires(self) -> Mapping[int, list[Wire | UnknownWire]]:
        """The wires of each segment."""
        nodes = {node for joint in self.scene.layer2.joints for node in (joint.a, joint.b)}
        nodes |= {port.node for host in self.hosts.values() for port in host.ports if port.node is not None}
        here = [node for node in nodes if isinstance(node, Wire | UnknownWire)]
        return grouped(sorted(here, key=str), lambda node: self.scene.segment(node))

    @cached_property
    def subnets(self) -> Mapping[int, list[Ip]]:
        """Addresses of servers and of their routers by segment: what other hosts there are taken to use."""
        found: dict[int, list[Ip]] = {}
        for host in self.hosts.values():
            if not isinstance(host.key, ServerRef):
                continue
            for port in host.ports:
                found.setdefault(port.segment, []).extend(port.addresses)
        return found

    @cached_property
    def _routers(self) -> dict[int, list[Ip]]:
        return {}

    def routers(self, segment: int) -> list[Ip]:
        """Routers on the segment that servers name in their routes and that are nobody we know."""
        if segment not in self._routers:
            self._routers[segment] = self._find_routers(segment)
        return self._routers[segment]

    def _find_routers(self, segment: int) -> list[Ip]:
        found = []
        for host in self.on_segment.get(segment, ()):
            if not isinstance(host.key, ServerRef) or host.routing is None:
                continue
            for route in host.routing.routes:
                via = read(route.via) if route.via else None
                if via is None or (segment, via.version, via.value) in self.answering:
                    continue
                own = next((ip for p in host.ports for ip in p.addresses if ip.covers(via)), None)
                if own is not None:
                    found.append(via._replace(prefix=own.prefix))
        return list(dict.fromkeys(found))

    def stranger(self, segment: int, version: int, like: Iterable[Ip] = ()) -> Ip | None:
        """An address of some other host on the segment: a router if one is known, else one that is free."""
        if routers := [ip for ip in self.routers(segment) if ip.version == version]:
            return routers[0]
        for ip in (*self.subnets.get(segment, ()), *like):
            if ip.version == version and ip.prefix < BITS[version] - 1:
                return self._free(segment, ip)
        return None

    def _free(self, segment: int, like: Ip) -> Ip | None:
        size = 1 << (BITS[like.version] - like.prefix)
        first = like.value & ~(size - 1)
        for offset in range(size - 2, max(size - 64, 0), -1):
            if (segment, like.version, first + offset) not in self.answering:
                return Ip(like.version, first + offset, like.prefix)
        return None

    @cached_property
    def _zone_of(self) -> Mapping[Zone, Zone]:
        parents: dict[Zone, Zone] = {}

        def root(zone: Zone) -> Zone:
            while (parent := parents.setdefault(zone, zone)) != zone:
                parents[zone] = parents[parent]
                zone = parents[zone]
            return zone

        for host in self.hosts.values():
            forwards = host.up is not False and (host.routing is None or bool(host.routing.forwards))
            places = self._places(host)
            if forwards and len(places) > 1 and not isinstance(host.key, OtherHosts):
                for place in places[1:]:
                    parents[root(place)] = root(places[0])
        return {zone: root(zone) for zone in list(parents)}

    def _places(self, host: Host) -> list[Zone]:
        places: list[Zone] = [
            port.segment for port in host.ports if port.segment != NOWHERE and not self.is_one_way(host, port)
        ]
        if host.uplink is not None:
            places.append(("server", host.uplink))
        if isinstance(host.key, ServerRef):
            places.append(("server", host.key.id))
        return places

    @cached_property
    def _networks(self) -> Mapping[int, list[tuple[int, Set[int]]]]:
        """Subnets that anybody is in or has a route to: numbers by IP version and length of the prefix.

        Without those that every address is in, and what a server routes to its own container.
        """
        every = self.hosts.values()
        ips = (ip for host in every for port in host.ports for ip in port.addresses)
        known = {ip.network for ip in ips if ip.prefix < BITS[ip.version]}
        for host in every:
            mine = self.routed_by.get(host.key.id, {}) if isinstance(host.key, ServerRef) else {}
            to = (read_route(route.dst) for route in (host.routing.routes if host.routing else ()))
            known |= {ip.network for ip in to if ip and ip.prefix and (ip.version, ip.value) not in mine}
        found: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for version, number, prefix in known:
            found[version].setdefault(prefix, set()).add(number)
        return {version: sorted(by_length.items()) for version, by_length in found.items()}

    def holding(self, ip: Ip, narrower: int = 0) -> tuple[tuple[int, int], ...]:
        """The subnets that hold the address and have a prefix longer than `narrower`: (length, number).

        Who is in one of them, or has a route to it, may see one address of a wider subnet and not another.
        """
        bits, known = BITS[ip.version], self._networks[ip.version]
        there = [(n, ip.value >> (bits - n), numbers) for n, numbers in known if n > narrower]
        return tuple([(n, number) for n, number, numbers in there if number in numbers])

    @cached_property
    def has_loose_ends(self) -> bool:
        """Whether any interface is in no bridge."""
        return any(isinstance(port.node, LooseEnd) for host in self.hosts.values() for port in host.ports)

    def is_lonely(self, port: Port) -> bool:
        """Whether a container and its server are alone on the segment: nothing joins it to anything."""
        return isinstance(port.node, LooseEnd) and port.segment not in self._joined

    @cached_property
    def _joined(self) -> frozenset[int]:
        """Segments of more than one node."""
        scene = self.scene
        return frozenset(scene.segment(joint.a) for joint in scene.layer2.joints)

    @staticmethod
    def is_one_way(host: Host, port: Port) -> bool:
        """A server hears what it is sent where it has no address, and sends nothing back without a route."""
        is_bare = port.answers and isinstance(port.node, LooseEnd | Wire | UnknownWire)
        if not (isinstance(host.key, ServerRef) and is_bare):
            return False
        return not any(route.dev in port.links for route in (host.routing.routes if host.routing else ()))

    def zone(self, place: Zone) -> Zone:
        """The zone that a segment belongs to."""
        return self._zone_of.get(place, place)

    def zones(self, host: Host) -> frozenset[Zone]:
        """Where the host stands, as sets that routers join: hosts without a common one never meet."""
        return frozenset(self.zone(place) for place in self._places(host))

    @cached_property
    def vids(self) -> Mapping[int, tuple[frozenset[int], frozenset[int]]]:
        """VLAN ids of the wires of a segment: of all, and of those on an unknown physical segment."""
        return {
            segment: (
                frozenset(wire.vid if isinstance(wire, Wire) else self._vid(wire) for wire in wires),
                frozenset(self._vid(wire) for wire in wires if isinstance(wire, UnknownWire)),
            )
            for segment, wires in self.wires.items()
        }

    def _vid(self, wire: UnknownWire) -> int:
        scene = self.scene
        view = adapter_wanted(wire.adapter, scene.before, scene.after, scene.inventory)
        return (view.vid if view else None) or 0

    @cached_property
    def _vids_of_zones(self) -> Mapping[Zone, tuple[frozenset[int], frozenset[int]]]:
        found: dict[Zone, tuple[frozenset[int], frozenset[int]]] = {}
        for segment, (every, unknown) in self.vids.items():
            zone = self._zone_of.get(segment, segment)
            old = found.get(zone, (frozenset[int](), frozenset[int]()))
            found[zone] = (old[0] | every, old[1] | unknown)
        return found

    def may_be_joined(self, a: Iterable[Zone], b: Iterable[Zone]) -> bool:
        """Whether a physical segment that nobody has named might join two zones."""
        return _may_meet(self._vids_of_zones, a, b)

    def may_lead_out(self, host: Host) -> bool:
        """Whether it stands on, or is routed to, the untagged wire of a segment that nobody has named."""
        nowhere = (frozenset[int](), frozenset[int]())
        return any(0 in self._vids_of_zones.get(zone, nowhere)[1] for zone in self.zones(host))

    def may_be_one(self, a: Host, b: Host) -> bool:
        """Whether a physical segment that nobody has named might put the two on one segment."""
        return _may_meet(self.vids, [p.segment for p in a.ports], [p.segment for p in b.ports])


def _may_meet(
    vids: Mapping[Any, tuple[frozenset[int], frozenset[int]]], a: Iterable[Zone], b: Iterable[Zone]
) -> bool:
    others = [vids[other] for other in b if other in vids]
    for one in a:
        all_a, unknown_a = vids.get(one, (frozenset(), frozenset()))
        if any(all_a & unknown_b or unknown_a & all_b for all_b, unknown_b in others):
            return True
    return False
