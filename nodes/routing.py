"""What a look says about routing: the part of it that tells who reaches whom. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from nodes.facts import ContainerInside, Link, Route, ServerFacts

_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
MOST_ROUTES = 64
"""So many routes of one machine are kept: more is a router's table, which explains nothing to people."""


def telling_routes(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Routes that lead further than the own subnet: connected ones follow from the addresses."""
    kept = [
        route
        for route in routes
        if route.table == "main"
        and route.proto != "kernel"
        and not route.dst.startswith(("fe80:", "ff00:", "multicast"))
    ]
    return tuple(kept[:MOST_ROUTES])


def destination(route: Route) -> str:
    """The destination, which says its IP version: "default" is IPv4's, "::/0" IPv6's."""
    return "::/0" if (route.family, route.dst) == (6, "default") else route.dst


def server_forwards(facts: ServerFacts) -> frozenset[int]:
    """IP versions that the server forwards between its links."""
    return frozenset(version for version, name in _FORWARDING.items() if facts.sysctls.get(name) == "1")


def container_forwards(inside: ContainerInside) -> frozenset[int]:
    """IP versions that the container forwards between its interfaces."""
    return frozenset(v for v, on in ((4, inside.forwarding4), (6, inside.forwarding6)) if on)


def switched_off(inside: ContainerInside) -> tuple[str, ...]:
    """Interfaces that are switched off inside the container: no frame passes them."""
    return tuple(sorted(link.name for link in inside.links if link.kind == "veth" and not link.up))


def answers_without_address(bridge: Link) -> bool:
    """Whether the server answers ARP on a bridge that has no address: Linux does unless told not to.

    net.ipv4.conf.*.arp_ignore 0 (Linux Documentation/networking/ip-sysctl.rst).
    """
    return bridge.arp_ignore == 0
