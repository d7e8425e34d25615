"""Who gains and who loses sight of whom between two states, told by groups of hosts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import grouped
from networks.domain.visibility.alike import signature
from networks.domain.visibility.components import Group
from networks.domain.visibility.hosts import NOWHERE
from networks.domain.visibility.verdict import Answer, HostKey, OtherHosts
from networks.domain.visibility.world import World, Zone

if TYPE_CHECKING:
    from networks.domain.visibility.model import Visibility

MOST_GROUPS = 200
"""So many groups are compared with each other; a difference between more of them is only counted."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Members of the first group come to see those of the second, or cease to: from `before` to `after`."""

    first: Group
    second: Group
    before: Answer
    after: Answer
    both_ways: bool = True


@dataclass(frozen=True, slots=True)
class Difference:
    """`gained` and `lost` are certain; `unclear` changed to or from unknown.

    `left_out` counts groups that were not compared.
    """

    gained: tuple[Sight, ...] = ()
    lost: tuple[Sight, ...] = ()
    unclear: tuple[Sight, ...] = ()
    left_out: int = 0

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost or self.unclear or self.left_out)


def difference(before: Visibility, after: Visibility) -> Difference:
    """From `before` to `after`. Only hosts in zones whose content changed are compared, group by group."""
    moved = _moved(before.world, after.world)
    blocks = grouped(moved, lambda key: (_signature(before.world, key), _signature(after.world, key)))
    named = [_group(before, after, members) for members in blocks.values()]
    shown, left_out = named[:MOST_GROUPS], max(0, len(named) - MOST_GROUPS)
    found: dict[tuple[int, int], tuple[Answer, Answer]] = {}
    for i, first in enumerate(shown):
        for j, second in enumerate(shown):
            a, b = _representatives(first, second)
            if a is None or b is None:
                continue
            old, new = before.answer(a, b), after.answer(a, b)
            if old != new:
                found[i, j] = (old, new)
    return _sorted(shown, found, left_out)


def _representatives(first: Group, second: Group) -> tuple[HostKey | None, HostKey | None]:
    a, b = first.members[0], second.members[0]
    if first is second:
        if len(first.members) < 2:
            return None, None
        b = first.members[1]
    return a, b


def _sorted(
    shown: list[Group], found: Mapping[tuple[int, int], tuple[Answer, Answer]], left_out: int
) -> Difference:
    lists: dict[str, list[Sight]] = {"gained": [], "lost": [], "unclear": []}
    for (i, j), (old, new) in found.items():
        both = found.get((j, i)) == (old, new)
        if both and j < i:
            continue
        kind = "unclear" if "unknown" in (old, new) else "gained" if new == "yes" else "lost"
        lists[kind].append(Sight(shown[i], shown[j], old, new, both))
    return Difference(tuple(lists["gained"]), tuple(lists["lost"]), tuple(lists["unclear"]), left_out)


def _group(before: Visibility, after: Visibility, members: list[HostKey]) -> Group:
    side = after if members[0] in after.world.hosts else before
    made = side.groups(members)
    return Group(made[0].name if len(made) == 1 else _joined(side, members), tuple(members))


def _joined(side: Visibility, members: list[HostKey]) -> str:
    from networks.domain import words

    return words.listed([side.name(member, short=True) for member in members], 4)


def _signature(world: World, key: HostKey) -> Hashable:
    host = world.hosts.get(key)
    return None if host is None else signature(world, host)


def _moved(before: World, after: World) -> list[HostKey]:
    """Hosts in zones that have other content than before, in a steady order."""
    old, new = _contents(before), _contents(after)
    keys = dict.fromkeys([*after.hosts, *before.hosts])
    return sorted(
        (key for key in keys if _surroundings(before, key, old) != _surroundings(after, key, new)), key=_order
    )


def _order(key: HostKey) -> tuple[int, int, str]:
    match key:
        case ContainerKey(server, ctid):
            return 0, server, ctid
        case ServerRef(server):
            return 1, server, ""
        case OtherHosts(segment):
            return 2, segment, ""


def _contents(world: World) -> Mapping[Zone, int]:
    """What is in each zone: who stands where, and how. Equal content gives equal answers within it."""
    at: dict[Zone, list[object]] = {}
    on: dict[int, list[tuple[HostKey, tuple[str, ...]]]] = {}
    for host in world.hosts.values():
        own = (
            host.key,
            host.up,
            host.host_routed,
            host.routing,
            tuple(
                (port.links, port.texts, port.known, port.answers)
                for port in host.ports
                # Where a server only listens matters on those segments only.
                if not world.is_one_way(host, port)
            ),
        )
        for zone in world.zones(host):
            at.setdefault(zone, []).append(own)
        for port in host.ports:
            if port.segment != NOWHERE:
                on.setdefault(port.segment, []).append((host.key, port.links))
    # Which ports are on one segment: numbers differ between two worlds, ports do not.
    for segment, ports in on.items():
        at.setdefault(world.zone(segment), []).append(("segment", frozenset(ports)))
    for segment, vids in world.vids.items():
        at.setdefault(world.zone(segment), []).append(("wires", vids))
    return {zone: hash(frozenset(map(hash, content))) for zone, content in at.items()}


def _surroundings(world: World, key: HostKey, contents: Mapping[Zone, int]) -> Hashable:
    host = world.hosts.get(key)
    return None if host is None else (host.up, frozenset(contents[zone] for zone in world.zones(host)))
