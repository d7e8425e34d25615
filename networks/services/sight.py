"""Who sees whom, from rows: for a page about a network, a server, a group, a Change or one pair."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from networks.desired import Head, head
from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import AddAddress, Desired, Edit, InterfaceKey, ServerId, apply_edits
from networks.domain.topology.observed import comparable_state
from networks.domain.visibility import (
    Difference,
    EndPoint,
    Fix,
    HostKey,
    OtherHosts,
    Verdict,
    Visibility,
    observed,
    visibility,
)
from networks.domain.visibility import tried as trials_of
from networks.domain.waves import server_of
from networks.inventory_rows import inventory
from networks.looking_back import shown_head, then
from networks.models import Change
from networks.slices import draft_edits
from networks.state_json import dump_edits, load_edits
from nodes.models import Adapter, Bridge, Container, ContainerInterface, PhysicalServer
from nodes.querysets import AnyUser

State = Literal["decided", "draft", "observed"]
STATES: tuple[State, ...] = ("decided", "draft", "observed")
SMALL = 100
"""An installation of so many servers is looked at whole; in a larger one, what networks join to a page."""


def servers_near(seeds: Iterable[ServerId], *states: Desired) -> frozenset[ServerId]:
    """The servers, and all others that virtual networks join to them, directly or over further ones.

    Whoever compares states gives them all: those who lose sight of each other are joined before only.
    """
    if PhysicalServer.objects.count() <= SMALL:
        return frozenset(PhysicalServer.objects.values_list("pk", flat=True))
    found: set[ServerId] = set()
    waiting = list(seeds)
    seen: set[str] = set()
    while waiting:
        server = waiting.pop()
        if server in found:
            continue
        found.add(server)
        new = {network for state in states for network in state.networks_on(server)} - seen
        seen |= new
        waiting.extend(other for state in states for network in new for other in state.servers_of(network))
    return frozenset(found)


@dataclass(frozen=True)
class Sight:
    """One state's visibility, and what the page may want to say about it."""

    state: State
    visibility: Visibility
    desired: Desired
    has_draft: bool


def sight(user: AnyUser, seeds: Collection[ServerId], state: State = "draft") -> Sight:
    """Who sees whom around those servers: as decided, as the user's draft would have it, or as observed.

    A fixed number of queries. Without a draft, "draft" is "decided".
    """
    newest = head()
    base = newest if then() is None else shown_head()
    edits = draft_edits(user)
    shown = apply_edits(base.state, edits) if state == "draft" else base.state
    known = inventory(servers_near(seeds, shown), user)
    found = observed(known, newest.state) if state == "observed" else visibility(shown, newest.state, known)
    if state == "draft" and not edits:
        state = "decided"
    return Sight(state, found, shown, bool(edits))


def servers_of_point(point: EndPoint) -> tuple[ServerId, ...]:
    """The server that an end point is on."""
    match point:
        case ServerRef(server):
            return (server,)
        case ContainerKey(server, _) | InterfaceKey(server, _, _):
            return (server,)
        case OtherHosts():
            return ()


def segments_of(found: Visibility, servers: Collection[ServerId]) -> list[OtherHosts]:
    """The other hosts of the physical segments that the servers are on."""
    here = {a.segment for a in found.world.scene.inventory.adapters if a.server in servers and not a.gone}
    return [OtherHosts(segment) for segment in sorted(s for s in here if s is not None)]


def hosts_of_network(found: Sight, network_id: str) -> list[HostKey]:
    """The network's containers, its servers, and the other hosts of their segments."""
    state = found.desired
    servers = sorted(state.servers_of(network_id))
    members = dict.fromkeys(
        ContainerKey(m.interface.server, m.interface.ctid) for m in state.members_of(network_id)
    )
    return [*sorted(members), *map(ServerRef, servers), *segments_of(found.visibility, servers)]


def hosts_of_servers(found: Visibility, servers: Collection[ServerId]) -> list[HostKey]:
    """The servers' containers, the servers, and the other hosts of their segments."""
    containers = [key for key in found.hosts() if isinstance(key, ContainerKey) and key.server in servers]
    views = found.world.scene.inventory.servers
    # Of a Windows server nothing is observed, so nothing can be said of it.
    own = [ServerRef(view.id) for view in views if view.id in servers and view.os == "linux"]
    return [*sorted(containers), *sorted(own), *segments_of(found, servers)]


@dataclass(frozen=True, slots=True)
class TriedFix:
    """A fix with what the model predicts of it; `token` names it until the situation changes."""

    fix: Fix
    token: str
    effect: Verdict | None = None


def tried(found: Visibility, a: EndPoint, b: EndPoint, verdict: Verdict) -> list[TriedFix]:
    """The verdict's fixes, tried on the model. None proposes an address that somebody anywhere has."""
    trials = trials_of(found, a, b, verdict)
    proposed = {edit.address.partition("/")[0] for trial in trials for edit in _addresses(trial.fix)}
    used = _used_elsewhere(proposed, found)
    return [
        TriedFix(trial.fix, token(trial.fix.edits), trial.effect)
        for trial in trials
        if not used.intersection(edit.address.partition("/")[0] for edit in _addresses(trial.fix))
    ]


def _addresses(fix: Fix) -> list[AddAddress]:
    return [edit for edit in fix.edits if isinstance(edit, AddAddress)]


def _used_elsewhere(addresses: Collection[str], found: Visibility) -> set[str]:
    """Those that somebody has on a server that was not looked at: see `servers_near`."""
    here = [server.id for server in found.world.scene.inventory.servers]
    if not addresses or PhysicalServer.objects.count() <= len(here):
        return set()
    containers = Container.objects.filter(gone_at=None).exclude(server__in=here)
    interfaces = ContainerInterface.objects.filter(gone_at=None).exclude(container__server__in=here)
    columns = [
        (containers, "host_routed_text"),
        (interfaces, "addresses_text"),
        *((rows.objects.exclude(server__in=here), "addresses_text") for rows in (Adapter, Bridge)),
    ]
    used = {
        one.partition("/")[0]
        for address in addresses
        for rows, column in columns
        for text in rows.filter(**{f"{column}__contains": address}).values_list(column, flat=True)
        for one in text.split()
    }
    return used.intersection(addresses)


def token(edits: Iterable[Edit]) -> str:
    """A name for edits that a form can carry: the same for the same edits."""
    return hashlib.sha256(dump_edits(edits).encode()).hexdigest()[:16]


def of_change(change: Change, user: AnyUser, newest: Head | None = None) -> Difference:
    """Who would gain and lose sight of whom by a reviewed Change, as things are now.

    "Now" is what was decided, but for repairs and adoptions what was found: they are about the difference.
    """
    newest = newest or head()
    edits = load_edits(change.edits)
    after = apply_edits(newest.state, edits)
    seeds = {op.server_id for op in change.operations.all() if op.server_id}
    # What needs no command has no operation: what is adopted is so already.
    seeds |= {server for edit in edits if (server := server_of(edit)) is not None}
    known = inventory(servers_near(seeds, newest.state, after), user)
    now = newest.state
    if compares_found(change):
        now = comparable_state(newest.state, known)
        after = apply_edits(comparable_state(newest.state, known, change.repairs), edits)
    before = visibility(now, newest.state, known)
    return before.difference(visibility(after, newest.state, known))


def compares_found(change: Change) -> bool:
    """Whether the Change is told against what was found: it repairs servers, or accepts what is there."""
    return bool(change.repairs) or change.is_found
