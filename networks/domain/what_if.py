"""What if: a container stops, an adapter's cable is pulled, a server is lost. Pure.

A happening makes another inventory of the one that is known; who sees whom in both tells what depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from networks.domain.inventory import ContainerKey, Inventory, ServerRef
from networks.domain.state import AdapterKey, ServerId
from networks.domain.visibility import Difference, EndPoint, Sight, Visibility
from networks.domain.visibility.world import World

Happening = ContainerKey | AdapterKey | ServerRef
"""A container that stops, an adapter that loses its cable, a server that is gone with all that is on it."""


def happened(known: Inventory, happenings: Iterable[Happening]) -> Inventory:
    """The inventory after all of it. What is not there anyway changes nothing."""
    for happening in happenings:
        match happening:
            case ContainerKey():
                known = _stopped(known, happening)
            case AdapterKey():
                known = _pulled(known, happening)
            case ServerRef(id=server):
                known = _lost(known, server)
    return known


def _stopped(known: Inventory, key: ContainerKey) -> Inventory:
    def hit(server: ServerId, ctid: str) -> bool:
        return (server, ctid) == (key.server, key.ctid)

    return replace(
        known,
        containers=tuple(
            replace(c, status="stopped") if hit(c.server, c.ctid) else c for c in known.containers
        ),
        interfaces=tuple(
            replace(i, container_status="stopped", bridge="") if hit(i.key.server, i.key.ctid) else i
            for i in known.interfaces
        ),
    )


def _pulled(known: Inventory, key: AdapterKey) -> Inventory:
    view = known.adapter(key)
    known = _without_signal(known, key)
    if view is not None and view.is_slave:
        bond = AdapterKey(key.server, view.bond)
        return known if _is_held(known, bond) else _without_signal(known, bond)
    return known


def _without_signal(known: Inventory, key: AdapterKey) -> Inventory:
    adapters = tuple(replace(a, up=True, carrier=False) if a.key == key else a for a in known.adapters)
    return replace(known, adapters=adapters)


def _is_held(known: Inventory, bond: AdapterKey) -> bool:
    """Whether a slave of the bond has, or may have, a signal: by that the kernel gives the bond its own."""
    slaves = (a for a in known.adapters_on(bond.server) if a.bond == bond.name)
    return any(a.up is not False and a.carrier is not False for a in slaves)


def _lost(known: Inventory, server: ServerId) -> Inventory:
    """The server stays by name, so that sentences can tell of it; everything on it is down."""
    adapters = tuple(replace(a, up=True, carrier=False) if a.server == server else a for a in known.adapters)
    known = replace(known, adapters=adapters)
    for container in [c for c in known.containers if c.server == server]:
        known = _stopped(known, container.key)
    return known


@dataclass(frozen=True, slots=True)
class Outcome:
    """What changes: `beside` for those that are not hit themselves, `with_it` for those that are."""

    beside: Difference
    with_it: Difference


def outcome(sight: Visibility, happenings: Iterable[Happening]) -> Outcome:
    """Who gains and loses sight of whom when it happens, told apart by whether one of the two is hit."""
    happenings = tuple(happenings)
    known = happened(sight.world.scene.inventory, happenings)
    scene = replace(sight.world.scene, inventory=known)
    after = Visibility(World(scene), replace(sight.names, scene=scene))
    return split(sight.difference(after), hit_by(known, happenings))


def hit_by(known: Inventory, happenings: Iterable[Happening]) -> frozenset[EndPoint]:
    """Hosts that are themselves stopped or lost."""
    hit: set[EndPoint] = set()
    for happening in happenings:
        match happening:
            case ContainerKey():
                hit.add(happening)
            case ServerRef(id=server):
                hit |= {happening, *(c.key for c in known.containers if c.server == server)}
    return frozenset(hit)


def split(difference: Difference, hit: frozenset[EndPoint]) -> Outcome:
    """The difference in two: between hosts that are not hit, and with those that are."""

    def is_beside(sight: Sight) -> bool:
        return not (hit.issuperset(sight.first.members) or hit.issuperset(sight.second.members))

    def part(beside: bool) -> Difference:
        gained, lost, unclear = (
            tuple(sight for sight in sights if is_beside(sight) == beside)
            for sights in (difference.gained, difference.lost, difference.unclear)
        )
        return Difference(gained, lost, unclear, difference.left_out if beside else 0)

    return Outcome(part(True), part(False))
