"""What tells hosts apart for others and for themselves: those of one signature see the same."""

from __future__ import annotations

from collections.abc import Hashable

from networks.domain.inventory import ContainerKey, RoutingView, ServerRef
from networks.domain.visibility.addresses import Ip
from networks.domain.visibility.hosts import NOWHERE, Host, Port
from networks.domain.visibility.verdict import OtherHosts
from networks.domain.visibility.world import World
from networks.domain.wires import LooseEnd

_Place = tuple[int, int, str]
_Subnets = tuple[tuple[tuple[int, int, int], tuple[tuple[int, int], ...]], ...]


def signature(world: World, host: Host, *, by_server: bool = False) -> Hashable:
    """Equal for hosts that see the same, and are seen alike by everybody else.

    Containers in no network stand alone with their servers, which they hear on layer 2: they are told apart
    by that only with `by_server`.
    """
    ports = [
        _port(world, host, port, by_server) for port in host.ports if _counts(world, host, port, by_server)
    ]
    if len(ports) > 1:
        ports.sort()
    kind = type(host.key)
    routing = host.routing
    if isinstance(host.key, ContainerKey):
        routes = None if routing is None else (routing.forwards, _routes(world, host, routing, by_server))
        return kind, host.up, tuple(ports), host.uplink, _host_routed(world, host), routes
    if isinstance(host.key, ServerRef):
        # A server that routes nothing but its own is like its neighbours.
        routes = None if routing is None else (routing.forwards, _routes(world, host, routing, by_server))
        hears = by_server and any(isinstance(port.node, LooseEnd) for port in host.ports)
        own = host.key.id if hears or world.routed_by.get(host.key.id) else 0
        return kind, tuple(ports), routes, own
    return kind, host.key if isinstance(host.key, OtherHosts) else None, tuple(ports)


def _counts(world: World, host: Host, port: Port, by_server: bool) -> bool:
    """Whether the port tells the host from others: where a server only listens, it does on few servers."""
    if port.segment == NOWHERE:
        return False
    if not isinstance(host.key, ServerRef):
        return True
    return not world.is_lonely(port) and (by_server or not world.is_one_way(host, port))


def _port(world: World, host: Host, port: Port, by_server: bool) -> tuple[_Place, bool, _Subnets, bool]:
    subnets = tuple(dict.fromkeys((ip.network, world.holding(ip, ip.prefix)) for ip in port.addresses))
    return _place(world, host, port, by_server), port.known, subnets, _is_clashing(world, port)


def _routes(world: World, host: Host, routing: RoutingView, by_server: bool) -> Hashable:
    return frozenset([(r.dst, r.via, _where(world, host, r.dev, by_server)) for r in routing.routes])


def _where(world: World, host: Host, dev: str, by_server: bool) -> _Place:
    for port in host.ports:
        if dev in port.links:
            return _place(world, host, port, by_server)
    return 0, NOWHERE, ""


def _place(world: World, host: Host, port: Port, by_server: bool) -> _Place:
    """The port's segment, with its bridge where that matters; or the server that is alone there with it."""
    if world.has_loose_ends and isinstance(host.key, ContainerKey) and world.is_lonely(port):
        return 1, host.key.server if by_server else 0, ""
    return 0, port.segment, str(port.node) if port.segment in world.shadows.crossed else ""


def _is_clashing(world: World, port: Port) -> bool:
    """Whether somebody else there has one of its addresses, or its hardware address."""
    if world.shadows.is_twin(port):
        return True
    return any(_claims(world, port.segment, ip) > 1 for ip in port.addresses)


def _claims(world: World, segment: int, ip: Ip) -> int:
    """How many answer for the address there."""
    return len(world.answering.get((segment, ip.version, ip.value), ()))


def _host_routed(world: World, host: Host) -> Hashable:
    """What others need to reach it there: a route to its addresses, or its server's answer for them."""
    if host.uplink is None or not host.routed:
        return ()
    server = world.hosts.get(ServerRef(host.uplink))
    ports = [port for port in server.ports if not isinstance(port.node, LooseEnd)] if server else []
    segments = sorted({port.segment for port in ports if port.segment != NOWHERE})
    return tuple(
        dict.fromkeys(
            (ip.version, world.holding(ip), tuple(_claims(world, segment, ip) for segment in segments))
            for ip in host.routed
        )
    )
