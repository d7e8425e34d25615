"""Ready edits for what rules and intents complain of, tried against the rules before they are offered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from networks.domain import words
from networks.domain.intent import Breach, breaches
from networks.domain.inventory import ContainerKey, Inventory, NetworkRef, ServerRef, Subject
from networks.domain.names import LINK_NAME_BYTES
from networks.domain.rules import problems_of, review
from networks.domain.state import (
    AdapterKey,
    AddAddress,
    Assign,
    CreateVlan,
    Desired,
    Edit,
    InterfaceKey,
    NetworkId,
    RemoveMember,
    ServerId,
    Unassign,
    apply_edits,
)
from networks.domain.visibility import Fix, visibility
from networks.domain.wires import Wire, adapter_wanted, wire_name, wire_of

MENDED = frozenset({"split", "partitioned", "adapter-gone", "adapter-taken", "interface-gone"})
"""Codes of rules that ready edits may mend."""
MOST = 4
"""So many ways are offered."""


@dataclass(frozen=True, slots=True)
class Way:
    """Edits for a draft, and whether the problem is gone with them."""

    fix: Fix
    mends: bool


def ways_of_rule(
    code: str, subjects: tuple[Subject, ...], state: Desired, known: Inventory
) -> tuple[Way, ...]:
    """What would mend a problem of that rule about those subjects; the rules refuse none of it."""
    desk = _Desk(state, known)
    match code:
        case "interface-gone":
            found = desk.without(key for key in subjects if isinstance(key, InterfaceKey))
        case "adapter-gone" | "adapter-taken":
            found = desk.off(key for key in subjects if isinstance(key, AdapterKey))
        case "split" | "partitioned":
            found = desk.together(ref.id for ref in subjects if isinstance(ref, NetworkRef))
        case _:
            return ()
    about = set(subjects)

    def is_gone(after: Desired) -> bool:
        return not any(p.code == code and about & set(p.subjects) for p in problems_of(after, known))

    return tuple(Way(fix, is_gone(apply_edits(state, fix.edits))) for fix in desk.accepted(found))


def ways_of_breach(breach: Breach, state: Desired, known: Inventory) -> tuple[Way, ...]:
    """What would keep an intent: the network made local, or the fixes for the first pair that is apart."""
    desk = _Desk(state, known)
    intent = breach.intent
    found: Iterable[Fix]
    if intent.kind == "isolated":
        found = chain(desk.local(intent.network), desk.unbridged(breach))
    else:
        verdict = visibility(state, state, known).reaches(*breach.pairs[0])
        # Whether an address is free a person has to make sure of: Explain says so, a button cannot.
        found = (fix for fix in verdict.fixes if fix.edits and not _gives_an_address(fix))

    def is_kept(after: Desired) -> bool:
        return not breaches([intent], visibility(after, state, known), after)

    return tuple(Way(fix, is_kept(apply_edits(state, fix.edits))) for fix in desk.accepted(found))


def _gives_an_address(fix: Fix) -> bool:
    return any(isinstance(edit, AddAddress) for edit in fix.edits)


@dataclass(frozen=True)
class _Desk:
    """A state with what exists."""

    state: Desired
    known: Inventory

    def accepted(self, fixes: Iterable[Fix]) -> Iterator[Fix]:
        """The first of the fixes that the rules do not refuse."""
        fit = (
            fix
            for fix in dict.fromkeys(fixes)
            if not any(p.severity == "refuse" for p in review(self.state, fix.edits, self.known))
        )
        for _, fix in zip(range(MOST), fit, strict=False):
            yield fix

    def without(self, interfaces: Iterable[InterfaceKey]) -> Iterator[Fix]:
        """Interfaces that are not there any more, taken out."""
        for key in interfaces:
            for member in self.state.memberships(key):
                name, network = words.interface(key, self.known), words.network(member.network, self.state)
                yield Fix(f"Take {name} out of {network}", (RemoveMember(key),))

    def off(self, adapters: Iterable[AdapterKey]) -> Iterator[Fix]:
        """Networks that cannot have the adapter: on the wire of the others, local, or not there at all."""
        for key in adapters:
            for assignment in self.state.assignments_on(key.server):
                if assignment.adapter != key.name:
                    continue
                for wire in self._wires(assignment.network, {key}):
                    yield from self._onto(assignment.network, [key.server], wire)
                yield self._here_alone(assignment.network, key.server)

    def together(self, networks: Iterable[NetworkId]) -> Iterator[Fix]:
        """The network on one wire on all its servers: the one that most are on first."""
        for network in networks:
            servers = sorted(self.state.servers_of(network))
            wires = self._wires(network, set()) or self._untagged(servers)
            for wire in wires:
                yield from self._onto(network, servers, wire)

    def local(self, network: NetworkId) -> Iterator[Fix]:
        """The network bridged to no adapter anywhere."""
        on = [a.server for a in self.state.assignments_of(network) if a.adapter]
        if on:
            edits = tuple(edit for server in on for edit in self._here_alone(network, server).edits)
            name = words.network(network, self.state)
            yield Fix(f"Make {name} local: bridged to no network adapter", edits)

    def unbridged(self, breach: Breach) -> Iterator[Fix]:
        """Containers that bridge the network to others inside, taken out of it."""
        sight = visibility(self.state, self.state, self.known)
        ways = (way for pair in breach.pairs for way in (sight.reaches(*pair), sight.shares_layer2(*pair)))
        hops = (hop for way in ways for hop in way.hops)
        bridging = {hop.subject for hop in hops if isinstance(hop.subject, ContainerKey)}
        for member in self.state.members_of(breach.intent.network):
            key = member.interface
            view = self.known.container(ContainerKey(key.server, key.ctid))
            if view is not None and view.key in bridging and any(key.ifname in one for one in view.joined):
                yield from self.without([key])

    def _here_alone(self, network: NetworkId, server: ServerId) -> Fix:
        name, where = words.network(network, self.state), words.server(server, self.known)
        if self.state.members_of(network, server):
            return Fix(f"Make {name} local on {where}", (Assign(network, server, None),))
        return Fix(f"Take {name} off {where}, where it has no members", (Unassign(network, server),))

    def _wires(self, network: NetworkId, but: set[AdapterKey]) -> list[Wire]:
        """Wires that the network is on, the one of most servers first."""
        found: Counter[Wire] = Counter()
        for assignment in self.state.assignments_of(network):
            key = AdapterKey(assignment.server, assignment.adapter or "")
            view = None if key in but else adapter_wanted(key, self.state, self.state, self.known)
            wire = wire_of(view, self.known) if view else None
            if wire is not None:
                found[wire] += 1
        return [wire for wire, _ in found.most_common()]

    def _untagged(self, servers: list[ServerId]) -> list[Wire]:
        """Untagged wires that every one of the servers has an adapter on."""
        on = [{Wire(a.segment) for a in self.known.adapters_on(s) if a.segment is not None} for s in servers]
        return sorted(set.intersection(*on)) if on else []

    def _onto(self, network: NetworkId, servers: list[ServerId], wire: Wire) -> Iterator[Fix]:
        """One fix that puts the network on the wire on all the servers, if each can."""
        edits: list[Edit] = []
        for server in servers:
            mine = self._edits(network, server, wire)
            if mine is None:
                return
            edits += mine
        if edits:
            view = next(a for a in self.known.adapters if a.segment == wire.segment)
            where = f" on {words.server(servers[0], self.known)}" if len(servers) == 1 else ""
            name = words.network(network, self.state)
            yield Fix(f"Put {name} on {wire_name(wire, view, self.known)}{where}", tuple(edits))

    def _edits(self, network: NetworkId, server: ServerId, wire: Wire) -> list[Edit] | None:
        """What puts the network on the wire there; nothing if it is; None if it cannot be."""
        here = self.state.assignment(network, server)
        taken = {a.adapter for a in self.state.assignments_on(server) if a.network != network}
        views = [a for a in self.known.adapters_on(server) if not a.is_slave and a.name not in taken]
        fit = (a for a in views if wire_of(a, self.known) == wire)
        # Rather one that carries nothing yet than the server's own way out.
        on_wire = [a.name for a in sorted(fit, key=lambda a: (bool(a.addresses or a.bridge), a.name))]
        if here is not None and here.adapter in on_wire:
            return []
        if on_wire:
            return [Assign(network, server, on_wire[0])]
        for base in sorted(self.known.adapters_on(server), key=lambda a: a.name):
            name = f"{base.name}.{wire.vid}"
            is_base = wire.vid and base.kind != "vlan" and base.segment == wire.segment and not base.is_slave
            if is_base and name not in taken and len(name) <= LINK_NAME_BYTES:
                return [CreateVlan(server, name, base.name, wire.vid), Assign(network, server, name)]
        return None


def servers_about(subjects: Iterable[Subject]) -> frozenset[ServerId]:
    """Servers that the subjects name."""
    return frozenset(
        s.id if isinstance(s, ServerRef) else s.server for s in subjects if not isinstance(s, NetworkRef)
    )
