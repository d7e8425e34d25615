"""Verdicts with their reasons: hops with evidence, and one sentence of the manual's kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from networks.domain import words
from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import AdapterKey
from networks.domain.visibility.addresses import Ip
from networks.domain.visibility.crossing import Crossing
from networks.domain.visibility.hosts import NOWHERE, Host, Port
from networks.domain.visibility.naming import Names
from networks.domain.visibility.paths import Leg, Way, may_be_lost, shares_segment
from networks.domain.visibility.reasons import Reasons, inner
from networks.domain.visibility.verdict import EndPoint, Evidence, Hop, OtherHosts, Verdict
from networks.domain.visibility.world import World
from networks.domain.wires import (
    ForeignBridge,
    InsideBridge,
    Joint,
    LooseEnd,
    NetworkHere,
    Node,
    UnknownWire,
    Wire,
)


@dataclass(frozen=True)
class Explainer:
    """Says why. `a` and `b` below are the hosts of a question, `ends` what was asked about."""

    world: World
    names: Names
    crossing: Crossing

    @property
    def reasons(self) -> Reasons:
        return Reasons(self.world, self.names)

    # --- IP ---

    def ip(self, a: Host, b: Host, ends: tuple[EndPoint, EndPoint], way: Way) -> Verdict:
        """The verdict about a ping from the one to the other."""
        is_by_version = way.code == "no-common-version"
        hops = [self.reasons.versions((a, b), ends)] if is_by_version else self._hops(a, b, way)
        if way.answer == "yes":
            return Verdict("yes", self._yes(a, b, ends, way), tuple(hops))
        if way.code in ("apart", "segment-unknown"):
            return Verdict(way.answer, self._apart(a, b, ends, way), tuple(hops))
        return Verdict(way.answer, self._reason(ends, way, hops), tuple(hops))

    def _hops(self, a: Host, b: Host, way: Way) -> list[Hop]:
        if way.code == "down" or way.code in ("status-unknown", "no-address", "address-unknown"):
            return [self.reasons.hop(way, a)]
        if way.code in ("apart", "segment-unknown"):
            mine, other = self.nearest(a, b)
            if mine is None or other is None:
                return self._past_servers(a, b)
            hops = self.crossing.hops(mine, a, other, b)
            return hops if any(hop.ok is not True for hop in hops) else [*hops, self._routers(a, b)]
        start = b if way.back else a
        hops = [hop for leg in way.legs for hop in self._leg(leg, start)]
        if way.answer != "yes":
            hops.append(self.reasons.hop(way, start))
        elif self._is_direct(way) and way.address is not None:
            hops.append(self._subnet(a, way.address))
        return list(dict.fromkeys(hops))

    @staticmethod
    def _is_direct(way: Way) -> bool:
        return len(way.legs) == 1 and way.legs[0].kind == "segment"

    def _leg(self, leg: Leg, start: Host) -> Iterable[Hop]:
        origin = start if leg.origin == start.key else self.world.hosts[leg.origin]
        target = self.world.hosts[leg.target]
        if leg.kind == "routed":
            yield self._routed(leg)
            return
        there = next((p for p in target.ports if p.segment == leg.segment), None)
        if leg.port is not None and there is not None:
            yield from self.crossing.hops(leg.port, origin, there, target)

    def _routed(self, leg: Leg) -> Hop:
        """Between a server and a container with a host-routed interface, either way."""
        inwards = isinstance(leg.target, ContainerKey)
        container = _container_of(leg)
        host = self.world.hosts[container]
        server = self.names.end(ServerRef(container.server))
        text = (
            f"{words.sentence(server)} routes to the host-routed interface of "
            f"{self.names.end(container, short=True)}."
            if inwards
            else f"{self.names.end(container, short=True)} sends by its host-routed interface to {server}."
        )
        address = host.host_routed[0] if host.host_routed else ""
        evidence = (
            Evidence(
                container.server, f"ip route get {address}", "leads to the Container's host-routed interface"
            )
            if inwards
            else Evidence(
                container.server, "ip route", "the default route is the host-routed interface", container.ctid
            )
        )
        return Hop(text, True, container, (evidence,))

    def _subnet(self, a: Host, dest: Ip) -> Hop:
        own = next((ip for ip in a.addresses if ip.covers(dest)), None)
        text = f"{own} and {dest} are in one subnet, {own.subnet}." if own else f"{dest} answers there."
        return Hop(text)

    def nearest(self, a: Host, b: Host) -> tuple[Port | None, Port | None]:
        """Ports between which there would be a way if everything ran, else the first ones."""
        first: tuple[Port | None, Port | None] = (
            next(iter(a.ports), None),
            next((p for p in b.ports if p.texts), next(iter(b.ports), None)),
        )
        for p in a.ports[:4]:
            for q in b.ports[:4]:
                if p.node is None or q.node is None:
                    continue
                if self.crossing.way(p.node, q.node, holding=False) is not None:
                    return p, q
        return first

    def _past_servers(self, a: Host, b: Host) -> list[Hop]:
        """How far it goes where a container has only a host-routed interface: its server stands for it."""
        first, second = self._stands_for(a), self._stands_for(b)
        if first is None or second is None:
            return [self._unplaced(a if first is None else b)]
        mine, other = self.nearest(first, second)
        if mine is None or other is None:
            return [self._unplaced(a if first is not a else b)]
        lead = [self._routed(Leg("routed", a.key, first.key))] if first is not a else []
        hops = self.crossing.hops(mine, first, other, second)
        broken = any(hop.ok is not True for hop in hops)
        return [*lead, *hops] if broken else [*lead, *hops, self._routers(a, b)]

    def ports(self, a: Host, b: Host) -> tuple[Port | None, Port | None]:
        """As `nearest`, of the servers of containers with only a host-routed interface."""
        first, second = self._stands_for(a), self._stands_for(b)
        return (None, None) if first is None or second is None else self.nearest(first, second)

    def _stands_for(self, host: Host) -> Host | None:
        """The host, or the server of one with only a host-routed interface; None if it has neither."""
        if host.ports:
            return host
        return None if host.uplink is None else self.world.hosts.get(ServerRef(host.uplink))

    def _unplaced(self, host: Host) -> Hop:
        name = words.sentence(self.names.end(host.key))
        proof = self.reasons.addresses_of(host)
        if host.host_routed:
            text = f"{name} has only a host-routed interface, which is on no layer-2 network."
        else:
            text = f"{name} has no interface that is bridged and no host-routed address."
        return Hop(text, False, None, proof)

    def _routers(self, a: Host, b: Host) -> Hop:
        names = f"{self.names.end(a.key, short=True)} and {self.names.end(b.key, short=True)}"
        text = f"No router that forwards packets joins the networks of {names}."
        return Hop(text, False, None, self.reasons.between(a, b))

    # --- sentences ---

    def _pair(self, ends: tuple[EndPoint, EndPoint]) -> tuple[str, str]:
        return words.sentence(self.names.end(ends[0], short=True)), self.names.end(ends[1], short=True)

    def _yes(self, a: Host, b: Host, ends: tuple[EndPoint, EndPoint], way: Way) -> str:
        first, second = self._pair(ends)
        routed = [_container_of(leg) for leg in way.legs if leg.kind == "routed"]
        lead = f"{first} {_verb(ends[0], 'reaches', 'reach')} {second}: "
        if routed:
            return lead + words.listed([self._by_server(key) for key in dict.fromkeys(routed)]) + "."
        reasons = [
            self._because(leg.port, there) for leg in way.legs if leg.port and (there := self._port(leg))
        ]
        routers = [leg.target for leg in way.legs[:-1]]
        if routers:
            reasons.append(
                f"{words.listed([self.names.end(key, short=True) for key in routers])} forwards packets"
            )
        return lead + words.listed([text for text in dict.fromkeys(reasons) if text]) + "."

    def _port(self, leg: Leg) -> Port | None:
        """Where a leg over a segment arrives."""
        return next((p for p in self.world.hosts[leg.target].ports if p.segment == leg.segment), None)

    def _by_server(self, key: ContainerKey) -> str:
        """What the manual says of 101: visible to whoever can access its server's adapter."""
        server = ServerRef(key.server)
        links = [link for port in self.world.hosts[server].ports for link in port.links]
        name = self.names.end(key, short=True)
        return (
            f"{name} has a host-routed interface, so it sees and is seen by whoever can access "
            f"{' or '.join(links[:2])} of {self.names.end(server)}"
        )

    def _because(self, mine: Port, other: Port) -> str:
        """Why frames get from one port to the other, without a full stop."""
        if mine.node is None or other.node is None:
            return ""
        steps = self.crossing.way(mine.node, other.node) or []
        nodes = [mine.node, *(node for _, node in steps)]
        networks = list(dict.fromkeys(n.network for n in nodes if isinstance(n, NetworkHere)))
        inside = _insides(steps)
        adapters = [joint for joint, _ in steps if isinstance(joint.by, AdapterKey)]
        parts = []
        if shared := next((j.by for j, _ in steps if isinstance(j.by, ForeignBridge)), None):
            parts.append(
                f"{words.networks(networks, self.world.scene.after)} are in {self.names.node(shared)}"
            )
        if inside:
            listed = words.listed([self.names.end(key, short=True) for key in inside])
            parts.append(f"{listed} bridges its interfaces")
        if adapters:
            wire = next((n for n in nodes if isinstance(n, Wire | UnknownWire)), None)
            by = words.listed([self.names.adapter(j.by) for j in adapters if isinstance(j.by, AdapterKey)])
            what = words.networks(networks, self.world.scene.after) if len(networks) == 1 else "they"
            verb = "is assigned to" if len(networks) == 1 else "are joined by"
            parts.append(f"{what} {verb} {by}, on {self.names.node(wire)}" if wire else f"{what} {verb} {by}")
        if loose := next((n for n in (mine.node, other.node) if isinstance(n, LooseEnd)), None):
            name = self.names.end(loose.interface)
            parts.append(f"{name} is in no bridge, and its server answers at the other end")
        if not parts:
            parts.append(f"both are in {self.names.node(mine.node)}" if mine.node == other.node else "")
        return " and ".join(part for part in parts if part)

    def _apart(self, a: Host, b: Host, ends: tuple[EndPoint, EndPoint], way: Way) -> str:
        first, second = self._pair(ends)
        mine, _ = self.nearest(a, b)
        hops = self._hops(a, b, way)
        broken = next((hop for hop in hops if hop.ok is not True), None)
        if way.answer == "unknown":
            verb = _verb(ends[0], "reaches", "reach")
            return f"Whether {self.names.end(ends[0], short=True)} {verb} {second} is unknown: " + (
                inner(broken.text) if broken else "a physical segment is not known."
            )
        text = f"{first} {_verb(ends[0], 'does', 'do')} not reach {second}: " + (
            inner(broken.text) if broken else "nothing joins them."
        )
        if mine is not None and mine.segment != NOWHERE and (near := self._fellow(a, b, mine)):
            text += f" {near} stands where it reaches {second}, but does not forward packets for others."
        return text

    def _fellow(self, a: Host, b: Host, mine: Port) -> str:
        """A container on the same segment that stands where the other can be reached: 302 beside 303."""
        zones = self.world.zones(b)
        for host in self.world.on_segment.get(mine.segment, ()):
            is_fellow = isinstance(host.key, ContainerKey) and host.key not in (a.key, b.key)
            if is_fellow and host.up and self.world.zones(host) & zones:
                return self.names.end(host.key, short=True)
        return ""

    def _reason(self, ends: tuple[EndPoint, EndPoint], way: Way, hops: list[Hop]) -> str:
        first, second = self._pair(ends)
        broken = next((hop for hop in hops if hop.ok is not True), None)
        because = inner(broken.text) if broken else "the reason is not known."
        if way.answer == "unknown":
            verb = _verb(ends[0], "reaches", "reach")
            return f"Whether {self.names.end(ends[0], short=True)} {verb} {second} is unknown: {because}"
        how = _verb(ends[0], "gets", "get") + " no answer from"
        if not way.back:
            how = _verb(ends[0], "does", "do") + " not reach"
        return f"{first} {how} {second}: {because}"

    # --- layer 2 ---

    def frames(self, a: Host, b: Host, ends: tuple[EndPoint, EndPoint]) -> Verdict:
        """The verdict about frames from the one to the other: what arping shows."""
        first, second = self._pair(ends)
        for host in (a, b):
            if host.up is False:
                hop = self.reasons.hop(Way("no", "down", at=host.key), a)
                return Verdict(
                    "no", f"{first} and {second} share no layer-2 network: {inner(hop.text)}", (hop,)
                )
        answer, mine, other = shares_segment(self.world, a, b)
        if mine is None or other is None:
            way = Way(answer, "segment-unknown" if answer == "unknown" else "apart")
            lonely = next((host for host in (a, b) if not host.ports), None)
            hops = [self._unplaced(lonely)] if lonely else self._hops(a, b, way)
            broken = next((hop for hop in hops if hop.ok is not True), None)
            because = inner(broken.text) if broken else "nothing joins them."
            lead = f"{first} and {second} share no layer-2 network: "
            if answer == "unknown":
                first = self.names.end(ends[0], short=True)
                lead = f"Whether {first} and {second} share a layer-2 network is unknown: "
            return Verdict(answer, lead + because, tuple(hops))
        because = self._because(mine, other)
        hops = self.crossing.hops(mine, a, other, b)
        if a.up is None or b.up is None:
            text = f"Whether {self.names.end((a if a.up is None else b).key, short=True)} runs is not known."
            return Verdict("unknown", text, (*hops, Hop(text, None)))
        if (lost := may_be_lost(self.world, a, mine, b)) is not None:
            hop = self.reasons.hop(lost, a)
            text = f"Whether {self.names.end(ends[0], short=True)} and {second} hear each other is unknown: "
            return Verdict("unknown", text + inner(hop.text), (*hops, hop))
        return Verdict("yes", f"{first} and {second} share a layer-2 network: {because}.", tuple(hops))


def _insides(steps: list[tuple[Joint, Node]]) -> list[ContainerKey]:
    found = [ContainerKey(node.server, node.ctid) for _, node in steps if isinstance(node, InsideBridge)]
    return list(dict.fromkeys(found))


def _verb(key: EndPoint, one: str, many: str) -> str:
    return many if isinstance(key, OtherHosts) else one


def _container_of(leg: Leg) -> ContainerKey:
    """The container of a leg between it and its server."""
    return leg.target if isinstance(leg.target, ContainerKey) else cast(ContainerKey, leg.origin)
