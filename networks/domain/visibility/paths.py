"""Where a packet gets to: on-link, by a host-routed interface, or by routers that were seen to forward.

A ping needs both ways: `judge` sends a packet there and its answer back, over the segments of a `World`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from networks.domain.inventory import ServerRef
from networks.domain.visibility.addresses import BITS, Ip, read, read_route
from networks.domain.visibility.hosts import NOWHERE, Host, Port
from networks.domain.visibility.verdict import Answer, HostKey, OtherHosts
from networks.domain.visibility.world import World
from networks.domain.wires import Wire

MOST_ROUTERS = 8
"""A packet passes at most so many; more is a loop."""

Code = Literal[
    "arrives", "down", "status-unknown", "no-address", "address-unknown", "apart", "segment-unknown",
    "no-route", "routes-unknown", "nobody-answers", "not-forwarding", "forwarding-unknown", "clash",
    "router-unknown", "others-unknown", "shadowed", "echoed", "twin", "no-common-version",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leg:
    """One step of a packet: over a segment ("segment"), or between a server and its container ("routed")."""

    kind: Literal["segment", "routed"]
    origin: HostKey
    target: HostKey
    segment: int = NOWHERE
    port: Port | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How far a packet gets, and why no further. `at` is the host that the reason is about."""

    answer: Answer
    code: Code
    legs: tuple[Leg, ...] = ()
    at: HostKey | None = None
    address: Ip | None = None
    router: Ip | None = None
    back: bool = False
    """The packet arrives; the reason is about its answer."""


def judge(world: World, a: Host, b: Host) -> Way:
    """Whether a ping from the one is answered by the other."""
    for host in (a, b):
        if host.up is False:
            return Way("no", "down", at=host.key)
    zones_a, zones_b = world.zones(a), world.zones(b)
    if not zones_a & zones_b:
        if world.may_be_joined(zones_a, zones_b):
            return Way("unknown", "segment-unknown")
        return Way("no", "apart")
    for host in (a, b):
        if host.up is None:
            return Way("unknown", "status-unknown", at=host.key)
        if not isinstance(host.key, OtherHosts) and not host.addresses:
            if host.known:
                return Way("no", "no-address", at=host.key)
            return Way("unknown", "address-unknown", at=host.key)
    return _best(_tries(world, a, b)) or _untried(a, b)


_RANK = {"yes": 2, "unknown": 1, "no": 0}


def _best(ways: Iterator[Way]) -> Way | None:
    best: Way | None = None
    for way in ways:
        if way.answer == "yes":
            return way
        if best is None or _RANK[way.answer] > _RANK[best.answer]:
            best = way
    return best


def _untried(a: Host, b: Host) -> Way:
    """Why there is no address that the one could ask the other at."""
    if isinstance(a.key, OtherHosts) or isinstance(b.key, OtherHosts):
        return Way("no", "no-route")
    for host in (a, b):
        if not host.known:
            return Way("unknown", "address-unknown", at=host.key)
    return Way("no", "no-common-version")


def _tries(world: World, a: Host, b: Host) -> Iterator[Way]:
    for dest in _addresses(world, b, a):
        there = _send(world, a, dest, b.key)
        if there.answer != "yes":
            yield there
            continue
        source = _source(world, a, dest, there)
        if source is None:
            yield Way("no", "no-address", at=a.key)
            continue
        back = _send(world, b, source, a.key)
        if back.answer == "yes":
            yield there
        else:
            yield Way(back.answer, back.code, back.legs, back.at, back.address, back.router, back=True)


def _addresses(world: World, host: Host, asker: Host) -> list[Ip]:
    """Addresses to be tried of a host; of other hosts, one for each IP version that the asker has."""
    if not isinstance(host.key, OtherHosts):
        versions = _versions(world, asker)
        return [ip for ip in host.addresses if ip.version in versions]
    segment = host.ports[0].segment
    like = [ip for port in asker.ports if port.segment == segment for ip in port.addresses]
    found = (world.stranger(segment, version, like) for version in sorted(_versions(world, asker)))
    return [ip for ip in found if ip is not None]


def _versions(world: World, host: Host) -> frozenset[int]:
    if isinstance(host.key, OtherHosts):
        return frozenset((4, 6))
    return frozenset(ip.version for ip in host.addresses)


def _source(world: World, host: Host, dest: Ip, way: Way) -> Ip | None:
    """The address that the host sends from."""
    leg = way.legs[0] if way.legs else None
    if isinstance(host.key, OtherHosts):
        return world.stranger(host.ports[0].segment, dest.version, (dest,))
    own = [
        ip for ip in (leg.port.addresses if leg and leg.port else host.routed) if ip.version == dest.version
    ]
    every = [ip for ip in host.addresses if ip.version == dest.version]
    return next((ip for ip in (*own, *every) if ip.covers(dest)), next(iter((*own, *every)), None))


@dataclass(frozen=True, slots=True)
class _Choice:
    """The route that a host takes: a port, with a router or without; or its server; or its container."""

    prefix: int
    port: Port | None = None
    router: Ip | None = None
    to: HostKey | None = None


def _choose(world: World, host: Host, dest: Ip) -> _Choice | None:
    """The route of the longest prefix, as the kernel takes it."""
    found: list[_Choice] = []
    for port in host.ports:
        for ip in port.addresses:
            if ip.prefix < BITS[ip.version] and ip.covers(dest):
                found.append(_Choice(ip.prefix, port))
    if isinstance(host.key, ServerRef):
        container = world.routed_by.get(host.key.id, {}).get((dest.version, dest.value))
        if container is not None:
            found.append(_Choice(BITS[dest.version], to=container))
    for route in host.routing.routes if host.routing else ():
        target = read_route(route.dst)
        if target is None or not target.covers(dest):
            continue
        router = read(route.via) if route.via else None
        through = next((p for p in host.ports if route.dev in p.links), None)
        if through is None and host.uplink is not None:
            found.append(_Choice(target.prefix, to=ServerRef(host.uplink)))
        elif (
            router is not None
            and isinstance(host.key, ServerRef)
            and (container := world.routed_by.get(host.key.id, {}).get((router.version, router.value)))
        ):
            found.append(_Choice(target.prefix, to=container))
        elif through is not None:
            found.append(_Choice(target.prefix, through, router))
    # The first of equals: connected subnets come before routes that somebody has written.
    return max(found, key=lambda choice: choice.prefix, default=None)


def _send(world: World, start: Host, dest: Ip, want: HostKey) -> Way:
    host = start
    legs: list[Leg] = []
    for _ in range(MOST_ROUTERS):
        if any((ip.version, ip.value) == (dest.version, dest.value) for ip in host.addresses):
            arrived = host.key == want
            return Way(
                "yes" if arrived else "unknown",
                "arrives" if arrived else "clash",
                tuple(legs),
                host.key,
                dest,
            )
        if host is not start and (stop := _stops(host, dest, legs)):
            return stop
        step = _step(world, host, dest)
        if isinstance(step, Way):
            return Way(step.answer, step.code, (*legs, *step.legs), step.at, dest, step.router)
        legs.append(step)
        if isinstance(step.target, OtherHosts):
            return _among_others(step, dest, want, legs, world, host)
        host = world.hosts[step.target]
    return Way("no", "no-route", tuple(legs), host.key, dest)


def _stops(host: Host, dest: Ip, legs: list[Leg]) -> Way | None:
    forwards = host.forwards(dest.version)
    if forwards is None:
        return Way("unknown", "forwarding-unknown", tuple(legs), host.key, dest)
    return None if forwards else Way("no", "not-forwarding", tuple(legs), host.key, dest)


def _among_others(step: Leg, dest: Ip, want: HostKey, legs: list[Leg], world: World, host: Host) -> Way:
    """The packet has left what we know: it has arrived if it was for other hosts of that segment."""
    choice = _choose(world, host, dest)
    if choice is not None and choice.router is not None and choice.router != dest:
        return Way("unknown", "router-unknown", tuple(legs), step.target, dest, choice.router)
    if step.target == want:
        return Way("yes", "arrives", tuple(legs), step.target, dest)
    return Way("no", "nobody-answers", tuple(legs), host.key, dest)


def _step(world: World, host: Host, dest: Ip) -> Leg | Way:
    """One step from the host towards the address, or the end of the way."""
    if isinstance(host.key, OtherHosts):
        port = host.ports[0]
        here = [ip for ip in world.subnets.get(port.segment, ()) if ip.version == dest.version]
        if here and not any(ip.covers(dest) for ip in here):
            return Way("unknown", "others-unknown", at=host.key)
        return _over_segment(world, host, port, dest)
    choice = _choose(world, host, dest)
    if choice is None:
        if host.routing is None:
            return Way("unknown", "routes-unknown", at=host.key)
        return Way("no", "no-route", at=host.key)
    if choice.to is not None:
        return Leg("routed", host.key, choice.to)
    if choice.port is None:
        return Way("no", "no-route", at=host.key)
    return _over_segment(world, host, choice.port, choice.router or dest, choice.router)


def _over_segment(world: World, host: Host, port: Port, target: Ip, router: Ip | None = None) -> Leg | Way:
    """To whoever answers for the target on the port's segment."""
    found = world.answering.get((port.segment, target.version, target.value), [])
    keys = [key for key in found if key != host.key] if port.segment != NOWHERE else []
    if len(keys) > 1:
        return Way("unknown", "clash", at=keys[0], router=router)
    if keys:
        if (lost := may_be_lost(world, host, port, world.hosts[keys[0]])) is not None:
            return replace(lost, router=router)
        return Leg("segment", host.key, keys[0], port.segment, port)
    others = [w for w in world.wires.get(port.segment, ()) if isinstance(w, Wire) and w.vid == 0]
    if others:
        there = OtherHosts(others[0].segment)
        if (lost := may_be_lost(world, host, port, world.hosts[there])) is not None:
            return replace(lost, router=router)
        return Leg("segment", host.key, there, port.segment, port)
    return Way("no", "nobody-answers", at=host.key, router=router)


def may_be_lost(world: World, a: Host, mine: Port, b: Host) -> Way | None:
    """Why it is not known whether the first hears the second over that port, None if it does (shadows.py)."""
    # What is sent goes out where the route leads, though another port may be on the segment as well.
    there = [p for p in b.ports if p.segment == mine.segment and not world.is_one_way(b, p)]
    lost = [_lost(world, a, mine, b, other) for other in there]
    return lost[0] if lost and None not in lost else None


def _lost(world: World, a: Host, mine: Port, b: Host, other: Port) -> Way | None:
    if (deaf := world.shadows.lies_on(a, mine, b, other)) is not None:
        return Way("unknown", "shadowed", at=deaf)
    if (server := world.shadows.echoes(a, mine, other)) is not None:
        return Way("unknown", "echoed", at=server)
    twin = next((host for host, port in ((a, mine), (b, other)) if world.shadows.is_twin(port)), None)
    return Way("unknown", "twin", at=twin.key) if twin is not None else None


def shares_segment(world: World, a: Host, b: Host) -> tuple[Answer, Port | None, Port | None]:
    """Whether frames get from one to the other, and by which ports."""
    for mine in a.ports:
        for other in b.ports:
            if mine.segment == other.segment != NOWHERE:
                return "yes", mine, other
    return ("unknown" if world.may_be_one(a, b) else "no"), None, None
