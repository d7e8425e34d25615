"""What to ask where, from the model; and what the answers say about each pair. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import ServerId
from networks.domain.visibility import Answer, HostKey, OtherHosts, Visibility
from networks.measure.answers import Heard
from networks.measure.jobs import Place

MOST_TARGETS = 24
"""More hosts than this are not all tried from everywhere, but a few of each group that sees the same."""
MOST_ADDRESSES = 3
"""So many addresses of one host are tried."""
AMONG_OTHERS = 0
"""The key under which a place among other hosts is heard, where there is one: the lab has it."""
Layer = Literal["layer2", "ip"]
Pair = tuple[HostKey, HostKey]


@dataclass(frozen=True, slots=True)
class MeasuredCell:
    """One pair on one layer, as the model says and as it was measured; "unknown" where it could not be."""

    origin: HostKey
    target: HostKey
    layer: Layer
    predicted: Answer
    measured: Answer

    @property
    def is_compared(self) -> bool:
        return "unknown" not in (self.predicted, self.measured)

    @property
    def differs(self) -> bool:
        return self.is_compared and self.predicted != self.measured


@dataclass(frozen=True)
class Plan:
    """Who asks, who is asked for, and by which addresses."""

    sight: Visibility
    origins: tuple[HostKey, ...]
    targets: tuple[HostKey, ...]
    left_out: int = 0
    """So many groups of hosts that see the same have no member here: there are more than may be tried."""

    def addresses(self, key: HostKey) -> tuple[str, ...]:
        """Addresses by which a host is tried: IPv4, else IPv6; of other hosts, routers that servers name."""
        host = self.sight.world.hosts[key]
        found = (
            self.sight.world.routers(host.ports[0].segment) if isinstance(key, OtherHosts) else host.addresses
        )
        first = [str(ip) for ip in found if ip.version == 4] or [str(ip) for ip in found]
        return tuple(first[:MOST_ADDRESSES])

    def places(self, only: Container[Pair] | None = None) -> Mapping[ServerId, tuple[Place, ...]]:
        """The jobs of each server; of those pairs alone, if some are given."""
        found: dict[ServerId, list[Place]] = {}
        for origin in self.origins:
            targets = self._targets(origin, only)
            tried = [address for target in targets for address in self.addresses(target)]
            if only is not None and not tried:
                continue
            if isinstance(origin, ContainerKey):
                arps = tuple(("", address) for address in tried if ":" not in address)
                found.setdefault(origin.server, []).append(Place(origin.ctid, tuple(tried), arps))
            elif isinstance(origin, ServerRef):
                arps = tuple(
                    (link, address)
                    for target in targets
                    for address in self.addresses(target)
                    if ":" not in address
                    for link in self._links(origin, target)
                )
                found.setdefault(origin.id, []).append(Place("", tuple(tried), arps))
        return {server: tuple(places) for server, places in found.items()}

    def _targets(self, origin: HostKey, only: Container[Pair] | None) -> list[HostKey]:
        """Whom it asks for. Several at a time, and silence takes seconds: those expected silent come last."""
        targets = [t for t in self.targets if t != origin and (only is None or (origin, t) in only)]
        return sorted(targets, key=lambda target: self.sight.answer(origin, target) != "yes")

    def _links(self, server: ServerRef, target: HostKey) -> list[str]:
        """Links of the server that have its addresses, and one without on which it should hear the target."""
        hosts = self.sight.world.hosts
        segments = {port.segment for port in hosts[target].ports}
        here = [port for port in hosts[server].ports if port.links]
        own = [port.links[0] for port in here if port.texts]
        bare = [port.links[0] for port in here if not port.texts and port.segment in segments]
        return [*own[:2], *bare[:1]]

    def cells(self, heard: Mapping[ServerId, Mapping[str, Heard]]) -> tuple[MeasuredCell, ...]:
        """Every pair on both layers; what a server that did not answer would say is unknown."""
        macs = self._macs(heard)
        known = frozenset().union(*macs.values()) if macs else frozenset()
        found = []
        for origin in self.origins:
            ears = _ears(heard, origin)
            for target in self.targets:
                if target == origin:
                    continue
                addresses = self.addresses(target)
                ip = _ping(ears, addresses)
                strangers = known if isinstance(target, OtherHosts) else None
                own, inside = macs.get(target, frozenset()), isinstance(origin, ContainerKey)
                frames = _arp(ears, addresses, own, strangers, inside)
                sight = self.sight
                found.append(MeasuredCell(origin, target, "ip", sight.answer(origin, target), ip))
                found.append(
                    MeasuredCell(origin, target, "layer2", sight.layer2_answer(origin, target), frames)
                )
        return tuple(found)

    def _macs(self, heard: Mapping[ServerId, Mapping[str, Heard]]) -> dict[HostKey, frozenset[str]]:
        """Hardware addresses of each host, as it says itself."""
        found: dict[HostKey, frozenset[str]] = {}
        for server, places in heard.items():
            if server == AMONG_OTHERS:
                continue
            for ctid, ears in places.items():
                key: HostKey = ContainerKey(server, ctid) if ctid else ServerRef(server)
                found[key] = frozenset(ears.macs)
        return found


def unseen(cells: Iterable[MeasuredCell]) -> frozenset[Pair]:
    """Pairs worth a second try on a busy machine: seen less than predicted, or lost without an answer."""
    return frozenset(
        (c.origin, c.target)
        for c in cells
        if (c.differs and c.predicted == "yes") or (c.measured == "unknown" != c.predicted)
    )


def heard_in_all(
    first: Mapping[ServerId, Mapping[str, Heard]], second: Mapping[ServerId, Mapping[str, Heard]]
) -> dict[ServerId, dict[str, Heard]]:
    """Both together: what was heard once was heard."""
    found = {server: dict(places) for server, places in first.items()}
    for server, places in second.items():
        for place, ears in places.items():
            old = found.setdefault(server, {}).get(place)
            found[server][place] = ears if old is None else old.with_more(ears)
    return found


def _ears(heard: Mapping[ServerId, Mapping[str, Heard]], origin: HostKey) -> Heard | None:
    if isinstance(origin, ContainerKey):
        return heard.get(origin.server, {}).get(origin.ctid)
    return heard.get(origin.id if isinstance(origin, ServerRef) else AMONG_OTHERS, {}).get("")


def _ping(ears: Heard | None, addresses: tuple[str, ...]) -> Answer:
    if ears is None or "ping" in ears.missing or not addresses:
        return "unknown"
    answers = [ears.pings.get(address) for address in addresses]
    if True in answers:
        return "yes"
    return "unknown" if None in answers else "no"


def _arp(
    ears: Heard | None,
    addresses: tuple[str, ...],
    own: frozenset[str],
    strangers: frozenset[str] | None,
    is_container: bool,
) -> Answer:
    """Whether the target itself answered. `strangers`: everybody we know, for a target that is none of them.

    A server that answers for its container (proxy ARP) does so with its own hardware address: no common
    layer-2 network.
    """
    asked = [address for address in addresses if ":" not in address]
    if ears is None or "arping" in ears.missing or not asked:
        return "unknown"
    replies = [mac for (_, address), mac in ears.arps.items() if address in asked]
    if not replies:
        # A container that was entered and has no link to ask on: only a host-routed interface.
        return "no" if ears.macs and is_container else "unknown"
    macs = {mac for mac in replies if mac}
    if strangers is not None:
        return "yes" if macs - strangers else "unknown" if None in replies else "no"
    if macs & own:
        return "yes"
    return "unknown" if None in replies or (macs and not own) else "no"


def plan(sight: Visibility, keys: Iterable[HostKey]) -> Plan:
    """What to measure among those hosts: all pairs of a few, members of each group of many."""
    everybody = [key for key in dict.fromkeys(keys) if key in sight.world.hosts]
    left_out = 0
    if len(everybody) > MOST_TARGETS:
        groups = sight.groups(everybody)
        left_out = max(0, len(groups) - MOST_TARGETS)
        everybody = _spread(group.members for group in groups)
    origins = [key for key in everybody if _can_ask(sight, key)]
    return Plan(sight, tuple(origins), tuple(everybody), left_out)


def _spread(groups: Iterable[Iterable[HostKey]]) -> list[HostKey]:
    """As many members as may be tried, group by group in turn, each from the server that has the fewest.

    What joins the servers is what may be broken: a group's second is on another server than its first. Of one
    server a group has two.
    """
    waiting = [list(members) for members in groups]
    own: list[Counter[ServerId]] = [Counter() for _ in waiting]
    every: Counter[ServerId] = Counter()
    chosen: list[HostKey] = []
    while any(waiting):
        for number, members in enumerate(waiting):
            if not members:
                continue
            if len(chosen) == MOST_TARGETS:
                return chosen
            key = _fewest(members, own[number], every)
            server = _server(key)
            chosen.append(key)
            own[number][server] += 1
            every[server] += 1
            is_enough = own[number][server] == 2
            waiting[number] = [m for m in members if m != key and not (is_enough and _server(m) == server)]
    return chosen


def _fewest(members: Iterable[HostKey], own: Counter[ServerId], every: Counter[ServerId]) -> HostKey:
    """A member from the server that has the fewest of this group, and of such servers the fewest of all."""
    return min(members, key=lambda key: (own[_server(key)], every[_server(key)]))


def _server(key: HostKey) -> ServerId:
    """The server that the host is, or is on; 0 for other hosts."""
    return key.server if isinstance(key, ContainerKey) else key.id if isinstance(key, ServerRef) else 0


def _can_ask(sight: Visibility, key: HostKey) -> bool:
    if isinstance(key, OtherHosts):
        return False
    if isinstance(key, ServerRef):
        view = sight.world.scene.inventory.server(key.id)
        return view is not None and view.os == "linux"
    return sight.world.hosts[key].up is True
