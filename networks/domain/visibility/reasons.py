"""Why a packet ends where it ends: the hop that does not hold, and what shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from networks.domain import words
from networks.domain.inventory import ContainerKey, RoutingView, ServerRef
from networks.domain.state import ServerId
from networks.domain.visibility.addresses import Ip, read
from networks.domain.visibility.hosts import Host
from networks.domain.visibility.naming import Names
from networks.domain.visibility.paths import Way
from networks.domain.visibility.verdict import EndPoint, Evidence, Hop, HostKey, OtherHosts
from networks.domain.visibility.world import World

FORWARDING = "cat /proc/sys/net/ipv4/ip_forward"
MOST_OWNERS = 4
"""So many machines are shown to have one address, or not to forward."""

_OPENINGS = ("Whether ", "Nobody ", "More ", "The ", "Which ", "Other ", "No ")


@dataclass(frozen=True)
class Reasons:
    """Says the reason of a `Way` that is no yes."""

    world: World
    names: Names

    def hop(self, way: Way, start: Host) -> Hop:
        """The hop that does not hold, by the reason."""
        key = way.at or start.key
        host = start if key == start.key else self.world.hosts.get(key, start)
        unknown = None if way.answer == "unknown" else False
        subject = key if isinstance(key, ContainerKey | ServerRef) else None
        return Hop(self._broken(way, key), unknown, subject, tuple(self._proof(way, host)))

    def _broken(self, way: Way, key: HostKey) -> str:
        name = words.sentence(self.names.end(key))
        dest = str(way.address) if way.address else "the address"
        asked = str(way.router or dest)  # A router is asked for itself before anything is sent by it.
        match way.code:
            case "down":
                container = (
                    self.world.scene.inventory.container(key) if isinstance(key, ContainerKey) else None
                )
                return f"{name} is {container.status if container else 'not there'}."
            case "status-unknown":
                return f"Whether {self.names.end(key)} runs is not known."
            case "no-address":
                return f"{name} has no IP address that could be used."
            case "address-unknown":
                return f"The IP address of {self.names.end(key)} is not known."
            case "no-route":
                return f"{name} has no route to {dest}."
            case "routes-unknown":
                return f"Which routes {self.names.end(key)} has is not known."
            case "not-forwarding":
                return f"{name} does not forward packets."
            case "forwarding-unknown":
                return f"Whether {self.names.end(key)} forwards packets is not known."
            case "clash":
                return f"More than one machine answers for {asked}: {self.names.end(key)} is one of them."
            case "router-unknown":
                return (
                    f"Whether the router {way.router} leads to {dest} is not known: it is not in the panel."
                )
            case "others-unknown":
                return f"Whether other hosts have a route to {dest} is not known."
            case "shadowed":
                return (
                    f"{name} has one hardware address in two segments that a Container joins: the nearer one "
                    "takes what is meant for the other."
                )
            case "echoed":
                return (
                    f"A Container joins a VLAN to its untagged segment: what it sends comes back to {name} "
                    "with a tag, where a bridge that does not filter tags may send answers the wrong way."
                )
            case "twin":
                return (
                    f"{name} has the hardware address of another Container on its network: what is sent to "
                    "the one may get to the other."
                )
            case _:
                return f"Nobody answers for {asked} on the network of {self.names.end(key)}."

    def _proof(self, way: Way, host: Host) -> Iterable[Evidence]:
        key = host.key
        if way.code == "clash":
            yield from self._owners(way.router or way.address)
        if way.code == "twin":
            yield from self._twins(host)
        if isinstance(key, OtherHosts):
            if way.code == "nobody-answers":
                yield from self._owners(way.router or way.address)
            return
        server, ctid = _place(key)
        if way.code in ("down", "status-unknown") and isinstance(key, ContainerKey):
            container = self.world.scene.inventory.container(key)
            yield Evidence(
                server, f"vzlist -a -o ctid,status {ctid}", container.status if container else "unknown"
            )
        elif way.code in ("no-route", "routes-unknown", "nobody-answers"):
            if host.routing is not None:
                yield _routes(key, host.routing)
            if way.code == "nobody-answers":
                yield from self._owners(way.router or way.address)
        elif way.code == "not-forwarding":
            yield Evidence(server, FORWARDING, "0", ctid)
        elif way.code in ("no-address", "address-unknown"):
            yield Evidence(server, "ip addr", "no address" if host.known else "could not be looked at", ctid)

    def _twins(self, host: Host) -> Iterable[Evidence]:
        """Interfaces that have a hardware address of the host on its network, its own among them."""
        for port in host.ports:
            for key in sorted(self.world.shadows.twins.get((port.segment, port.mac), ()))[:MOST_OWNERS]:
                shows = f"link/ether {port.mac}"
                yield Evidence(key.server, f"ip link show dev {key.ifname}", shows, key.ctid)

    def _owners(self, ip: Ip | None) -> Iterable[Evidence]:
        """Who has the address, and which servers answer for it: of one that nobody has, nothing."""
        if ip is None:
            return
        for key in self.world.owners.get((ip.version, ip.value), ())[:MOST_OWNERS]:
            host = self.world.hosts[key]
            if isinstance(key, ContainerKey) and any(own.value == ip.value for own in host.routed):
                yield Evidence(key.server, f"vzlist -a -o ctid,ip {key.ctid}", str(ip))
                yield self._proxies(key.server, ip)
            elif isinstance(key, ContainerKey | ServerRef):
                server, ctid = _place(key)
                prefix = next(own.prefix for own in host.addresses if own[:2] == ip[:2])
                shows = f"inet{'6' if ip.version == 6 else ''} {ip}/{prefix}"
                yield Evidence(server, f"ip addr show to {ip}", shows, ctid)

    def _proxies(self, server: ServerId, ip: Ip) -> Evidence:
        """Whether a server was seen to answer for an address that it routes."""
        view = self.world.scene.inventory.server(server)
        shows = "could not be looked at"
        if view is not None and view.routing is not None:
            links = [link for text, link in view.routing.proxies if read(text) == ip]
            shows = (
                " ".join(filter(None, (str(ip), links[0] and f"dev {links[0]}", "proxy")))
                if links
                else (f"nothing for {ip}")
            )
        return Evidence(server, "ip neigh show proxy", shows)

    def versions(self, hosts: tuple[Host, Host], ends: tuple[EndPoint, EndPoint]) -> Hop:
        """Two that have addresses, but none of the same IP version."""
        first, second = ({ip.version for ip in host.addresses} for host in hosts)
        text = (
            f"{words.sentence(self.names.end(ends[0]))} has only IPv{min(first)} addresses and "
            f"{self.names.end(ends[1])} only IPv{min(second)} ones, so they have no IP version in common."
        )
        proof = []
        for host in hosts:
            if not isinstance(host.key, OtherHosts):
                server, ctid = _place(host.key)
                shows = " ".join(f"{ip}/{ip.prefix}" for ip in host.addresses)
                proof.append(Evidence(server, "ip addr", shows, ctid))
        return Hop(text, False, None, tuple(proof))

    def addresses_of(self, host: Host) -> tuple[Evidence, ...]:
        """What a host without a place on layer 2 has instead."""
        key = host.key
        if isinstance(key, ContainerKey):
            shows = " ".join(host.host_routed) or "-"
            return (Evidence(key.server, f"vzlist -a -o ctid,ip {key.ctid}", shows),)
        return (Evidence(key.id, "ip addr", "no address"),) if isinstance(key, ServerRef) else ()

    def between(self, a: Host, b: Host) -> tuple[Evidence, ...]:
        """Who could have been a router between the two, and does not forward; else where the first sends."""
        servers = [ServerRef(host.uplink) for host in (a, b) if host.uplink is not None]
        beside = [host for port in a.ports for host in self.world.on_segment.get(port.segment, ())]
        zones = self.world.zones(b)
        fellows = [h.key for h in beside if self.world.zones(h) & zones and h.key not in (a.key, b.key)]
        found = []
        for key in dict.fromkeys([*servers, *fellows]):
            host = self.world.hosts.get(key)
            if host is not None and host.forwards(4) is False and not isinstance(key, OtherHosts):
                server, ctid = _place(key)
                found.append(Evidence(server, FORWARDING, "0", ctid))
        if not found and a.routing is not None and not isinstance(a.key, OtherHosts):
            return (_routes(a.key, a.routing),)
        return tuple(found[:MOST_OWNERS])


def _place(key: ContainerKey | ServerRef) -> tuple[ServerId, str]:
    """The server, and the container on it if it is one."""
    return (key.server, key.ctid) if isinstance(key, ContainerKey) else (key.id, "")


def _routes(key: ContainerKey | ServerRef, routing: RoutingView) -> Evidence:
    """The routes of a machine as they were seen, beside those that its addresses make."""
    server, ctid = _place(key)
    routes = "; ".join(
        " ".join(filter(None, (r.dst, r.via and f"via {r.via}", r.dev and f"dev {r.dev}")))
        for r in routing.routes
    )
    return Evidence(server, "ip route", routes or "only its own subnets", ctid)


def inner(text: str) -> str:
    """A hop's sentence as it goes on after a colon."""
    return text[:1].lower() + text[1:] if text.startswith(_OPENINGS) else text
