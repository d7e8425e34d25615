"""Rows to the topology picture: what a user may see of a part of the installation, as a scene."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from django.db.models import QuerySet

from networks.desired import head, head_number
from networks.domain.inventory import ContainerKey, NetworkRef, ServerRef, Subject
from networks.domain.rules import Problem, problems_of
from networks.domain.state import AdapterKey, Desired, ServerId, apply_edits
from networks.domain.topology.around import Start, around
from networks.domain.topology.build import Kept, Seen, scene_of
from networks.domain.topology.collapse import collapsed
from networks.domain.topology.observed import observed_state
from networks.domain.topology.scene import LineId, Scene, Sign
from networks.inventory_rows import inventory
from networks.looking_back import shown_head, then
from networks.models import StandingProblem
from networks.problem_check import OTHER_CAUSES
from networks.services.measure import open_disagreements
from networks.slices import draft_edits
from nodes.models import Adapter, Container, PhysicalServer
from nodes.querysets import AnyUser, named_on

View = Literal["draft", "desired", "observed"]
SHOWN_CAUSES = (*sorted(OTHER_CAUSES), "breach")
MOST_SERVERS = 300
"""More are not drawn at once: the page asks for a group, a server or a network."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a page is about: some servers whole, or the neighbourhood of one thing."""

    servers: frozenset[ServerId]
    """Servers that the user may see: the whole part, or all of them where `start` narrows it."""
    start: Start | None = None
    hops: int = 0


def version(part: Part, view: View, user: AnyUser) -> str:
    """Changes whenever the picture may: for the ETag of the polled fragment. A few cheap queries."""
    servers = PhysicalServer.objects.filter(pk__in=part.servers).order_by("pk")
    # Which adapter is on which segment, not how many are: two may change places.
    wired = Adapter.objects.filter(server_id__in=part.servers).exclude(segment=None).order_by("pk")
    known = [
        list(servers.values_list("pk", "name", "state", "management_address", "look__digest")),
        list(wired.values_list("pk", "segment", "segment__name")),
        head_number(),
        list(_not_by_rules(part.servers, user).values_list("pk", "text")),
        [row.text for row in open_disagreements(user) if row.is_of_trunk],
        repr(draft_edits(user)) if view == "draft" else "",
        [view, part.hops, repr(part.start)],
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]


def scene(part: Part, view: View, user: AnyUser) -> Scene:
    """The scene of the part, made readable. A fixed number of queries."""
    # What was found is of now, and so is what it is compared with.
    decided = (head() if view == "observed" else shown_head()).state
    drafted = apply_edits(decided, draft_edits(user)) if view == "draft" else decided
    kept = Kept(part.servers)
    if part.start is not None:
        kept = around(part.start, part.hops, decided, drafted, visible=part.servers)
    known = inventory(kept.servers)
    if view == "observed":
        # Only networks are counted beyond what is drawn: nobody looked at the other servers for this page.
        decided = drafted = _within(observed_state(decided, known), kept.servers)
        if part.start is not None:
            kept = replace(kept, containers=_containers(kept, decided), networks=kept.networks)
    problems = problems_of(_within(drafted, kept.servers), known)
    if then() is None:
        problems = (*problems, *_standing(kept.servers, user))
    wires = _wires(kept.servers, user) if then() is None else {}
    return collapsed(scene_of(decided, drafted, known, kept, _seen(kept.servers), problems, wires))


def _not_by_rules(servers: frozenset[ServerId], user: AnyUser) -> QuerySet[StandingProblem]:
    """Problems that no rule sees, of those servers: drift, servers behind, breached intents and the like."""
    named = StandingProblem.servers.through.objects.filter(physicalserver__in=servers)
    mine = StandingProblem.objects.open().visible_to(user).filter(pk__in=named.values("standingproblem"))
    return mine.filter(cause__in=SHOWN_CAUSES).order_by("pk")


def _standing(servers: frozenset[ServerId], user: AnyUser) -> Iterator[Problem]:
    """Those problems, each at what it is about. One query."""
    for text, severity, subjects in _not_by_rules(servers, user).values_list("text", "severity", "subjects"):
        about = tuple(found for subject in subjects if (found := _subject(subject)) is not None)
        yield Problem("standing", "refuse" if severity == "refuse" else "warn", text, about)


def _wires(servers: frozenset[ServerId], user: AnyUser) -> dict[LineId, tuple[Sign, ...]]:
    """What measurements have found of wires: a VLAN that a switch does not carry to a server."""
    found: dict[LineId, tuple[Sign, ...]] = {}
    for row in open_disagreements(user):
        if row.is_of_trunk and set(row.servers) & servers:
            line = row.wire
            found[line] = (*found.get(line, ()), Sign("warn", row.text))
    return found


def _subject(row: dict[str, Any]) -> Subject | None:
    match row:
        case {"kind": "network", "network": network}:
            return NetworkRef(network)
        case {"kind": "container" | "interface", "server": server, "ctid": ctid}:
            return ContainerKey(server, ctid)
        case {"kind": "server", "server": server}:
            return ServerRef(server)
    return None


def _within(state: Desired, servers: frozenset[ServerId]) -> Desired:
    """The part of the state that is on those servers: rules are asked about what is drawn."""
    return replace(
        state,
        assignments=tuple(a for a in state.assignments if a.server in servers),
        members=tuple(m for m in state.members if m.interface.server in servers),
        vlans=tuple(v for v in state.vlans if v.server in servers),
    )


def _containers(kept: Kept, found: Desired) -> frozenset[ContainerKey] | None:
    """Containers that are members by what was found as well, though they are not by what is decided."""
    if kept.containers is None:
        return None
    more = (m.interface for m in found.members if kept.has(m.network))
    return kept.containers | {ContainerKey(key.server, key.ctid) for key in more}


def _seen(servers: frozenset[ServerId]) -> Seen:
    """States of servers and adapters. Two queries."""
    rows = PhysicalServer.objects.filter(pk__in=servers).values_list(
        "pk", "state", "management_address", "address"
    )
    states, addresses = {}, {}
    for pk, state, management, address in rows:
        states[pk], addresses[pk] = state, management or address
    down, own = set(), set()
    adapters = Adapter.objects.filter(server_id__in=servers, gone_at=None).values_list(
        "server_id",
        "name",
        "is_up",
        "has_carrier",
        "is_management",
        "addresses_text",
        "bridge__addresses_text",
    )
    for server, name, is_up, has_carrier, is_management, on_it, on_bridge in adapters:
        if not is_up or has_carrier is False:
            down.add(AdapterKey(server, name))
        if is_management or on_it or on_bridge:
            own.add(AdapterKey(server, name))
    return Seen(states, addresses, frozenset(down), frozenset(own))


def container_ids(keys: Iterable[ContainerKey]) -> dict[ContainerKey, Any]:
    """Primary keys of containers, for links. One query."""
    wanted = set(keys)
    rows = Container.objects.filter(named_on({(key.server, key.ctid) for key in wanted})).values_list(
        "server_id", "ctid", "pk"
    )
    return {key: pk for server, ctid, pk in rows if (key := ContainerKey(server, ctid)) in wanted}
