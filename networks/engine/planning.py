"""The review of a Change: a fresh look at its servers, the rules on the whole, the exact commands per server.

Nothing is changed on any server, and none is reserved: two reviews of one server may stand side by side, and
the digest of the commands tells at the apply which of them the server has moved away from.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import OperationalError, transaction
from django.db.models import F, QuerySet

from networks.choices import ChangeState, OperationState
from networks.desired import Head, head
from networks.domain import words
from networks.domain.diff import describe
from networks.domain.inventory import Inventory
from networks.domain.looks import with_look
from networks.domain.names import name_bridges
from networks.domain.plan import ServerPlan
from networks.domain.plan import plan as plan_of
from networks.domain.rules import Problem, review
from networks.domain.state import Desired, apply_edits
from networks.domain.waves import MOST, default_width
from networks.engine.behind import followed_by, missed_errands, missed_on
from networks.engine.forward import go_on_with_planned
from networks.engine.hosts import Host, NoAnswer, Reply
from networks.engine.lease import Lease, claim, is_poisoned, kept_alive
from networks.engine.subjects import subject_rows
from networks.host.grammar import BadPlan
from networks.intents import breached_by, servers_meant, stored
from networks.inventory_rows import inventory, servers_named
from networks.models import Change, NetworkIntent, Operation
from networks.state_json import UnreadableState, load_edits
from nodes.crew import in_threads
from nodes.facts import ServerFacts
from nodes.models import PhysicalServer
from nodes.observe import LookFailed, servers_to_ask
from nodes.observe import look as look_at

log = structlog.get_logger(__name__)

WIDTH = MOST
"""Servers that are asked at the same time: as many as a wave may have."""


@dataclass
class ServerReview:
    """What the review found for one server."""

    server: PhysicalServer
    plan: ServerPlan | None = None
    host_plan: str = ""
    """As the server was asked about it: what it answered with a digest."""
    reply: Reply | None = None
    refusals: list[str] = field(default_factory=list)
    is_unreachable: bool = False
    """It could not be asked, so the author may leave it out."""
    notes: list[str] = field(default_factory=list)

    @property
    def has_work(self) -> bool:
        """False if the server is as it should be already and its own record says so."""
        return self.plan is None or not self.plan.is_empty


def plan(change_id: uuid.UUID) -> None:
    """Plan the Change and store its review. Does nothing unless it waits for one; safe to run twice.

    What goes wrong on the way is stored as the review's refusal: nothing is planned again for ever.
    """
    lease = claim(change_id, planning=True)
    if lease is None:
        return
    with kept_alive(lease):
        _plan_or_refuse(lease, Change.objects.get(pk=change_id))
    go_on_with_planned()


def _plan_or_refuse(lease: Lease, change: Change) -> None:
    if is_poisoned(change):
        _refuse(lease, f"{change.attempts - 1} workers gave up planning it; their logs say more.")
        return
    try:
        _plan(lease, change)
    except OperationalError:
        raise  # the database is away: the sweeper sends it again, a few times
    except UnreadableState as error:
        _refuse(lease, f"What it asks for cannot be read ({error}). Discard it and make it again.")
    except Exception as error:
        log.exception("planning_failed", change=str(change.pk))
        _refuse(
            lease, f"It could not be planned: unexpected {type(error).__name__}; the worker's log has it."
        )


def _refuse(lease: Lease, text: str) -> None:
    row = {"key": "planning", "severity": "refuse", "text": text, "hint": "", "subjects": []}
    _still_planning(lease).update(
        state=ChangeState.PLANNED, problems=[row], lease_until=None, version=F("version") + 1
    )


def _still_planning(lease: Lease) -> QuerySet[Change]:
    """The Change, unless it was discarded or another worker plans it now."""
    return Change.objects.filter(pk=lease.change_id, fence=lease.fence, state=ChangeState.PLANNING)


def _plan(lease: Lease, change: Change) -> None:
    newest = head()
    edits = load_edits(change.edits)
    after = apply_edits(newest.state, edits)
    concerned = changed_servers(newest.state, after) | set(change.repairs)
    servers = list(servers_to_ask().filter(pk__in=concerned))
    # Read before what was missed goes into the plan: what is done in between is noticed at the apply.
    missed_then = missed_on(concerned)
    followed = followed_by(concerned)
    looks = in_threads(_look, servers, WIDTH, "plan")
    meant = list(NetworkIntent.objects.order_by("pk"))
    intents = stored(meant)
    asked = servers_named(newest.state, after) | servers_meant(intents) | {s.pk for s in servers}
    known = inventory(asked, change.author, names_bridges=True)
    for server, facts in zip(servers, looks, strict=True):
        view = known.server(server.pk)
        if isinstance(facts, ServerFacts) and view is not None:
            known = with_look(known, view, facts)
    problems = (
        *review(newest.state, edits, known, found=change.is_found),
        *breached_by(newest.state, after, known, intents),
    )
    missed = {server: missed_errands(server) for server in followed}
    again = (edit for errands in missed.values() for edit in errands)
    named = name_bridges(apply_edits(after, again), known.bridge_names)
    reviews = [
        _reviewed(server, facts, named, followed.get(server.pk), newest.state, known)
        for server, facts in zip(servers, looks, strict=True)
    ]
    for found in reviews:
        found.notes += describe(missed.get(found.server.pk, ()), newest.state, known)
    if not any(problem.severity == "refuse" for problem in problems):
        in_threads(_ask, reviews, WIDTH, "plan")
    sentences = (*describe(edits, newest.state, known), *_repair_sentences(change, known))
    settled = _settled(newest, named, reviews, [row.pk for row in meant], missed_then)
    _store(lease, change, newest, sentences, _rows(problems, reviews), settled, reviews)


def _repair_sentences(change: Change, known: Inventory) -> tuple[str, ...]:
    return tuple(
        f"Bring {words.server(server, known)} back to what was decided." for server in change.repairs
    )


def _reviewed(
    server: PhysicalServer,
    facts: ServerFacts | LookFailed,
    named: Desired,
    followed: Desired | None,
    newest: Desired,
    known: Inventory,
) -> ServerReview:
    """`followed`: the older state that a server which is behind follows; what that has too much, goes."""
    view = known.server(server.pk)
    if isinstance(facts, LookFailed) or view is None:
        text = f"{server.name} could not be looked at: {facts}"
        return ServerReview(server, refusals=[text], is_unreachable=True)
    if followed is None:
        return ServerReview(server, plan_of(view, named, newest, known))
    note = "This server is behind what was decided: the change brings it forward as well."
    return ServerReview(server, plan_of(view, named, followed, known), notes=[note])


def changed_servers(before: Desired, after: Desired) -> frozenset[int]:
    """Servers for which the two states say different things."""
    return frozenset(
        server
        for server in servers_named(before, after)
        if set(before.assignments_on(server)) != set(after.assignments_on(server))
        or set(before.members_on(server)) != set(after.members_on(server))
        or set(before.vlans_on(server)) != set(after.vlans_on(server))
        or before.errands_on(server) != after.errands_on(server)
    )


def _look(server: PhysicalServer) -> ServerFacts | LookFailed:
    try:
        return look_at(server)
    except LookFailed as failure:
        return failure


def _ask(found: ServerReview) -> None:
    """Let the server compute the exact commands of its plan."""
    if found.plan is None or not found.has_work:
        return
    try:
        found.host_plan = found.plan.host.render()
        found.reply = Host(found.server).plan(found.host_plan)
    except BadPlan as error:
        found.refusals.append(f"{found.server.name} cannot be told this plan: {error}")
        return
    except NoAnswer as error:
        found.refusals.append(f"{found.server.name} could not be asked for the plan: {error}")
        found.is_unreachable = True
        return
    found.refusals += [f"{found.server.name}: {note.text}" for note in found.reply.answer.refusals]
    if not found.reply.ok and not found.refusals:
        found.refusals.append(f"{found.server.name} refuses the plan: {found.reply.words}")


def _rows(problems: tuple[Problem, ...], reviews: list[ServerReview]) -> list[dict[str, Any]]:
    """What rules and servers say, as the Change keeps it."""
    rows = [_problem_row(f"rule-{number}", problem) for number, problem in enumerate(problems)]
    for found in reviews:
        warnings = found.reply.answer.warnings if found.reply else ()
        rows += [_server_row(found.server, note.code, "warn", note.text) for note in warnings]
        # Of a server without commands there is no card that could say why something stays as it is.
        notes = found.plan.notes if found.plan and not found.has_work else ()
        rows += [
            _server_row(found.server, f"note-{number}", "note", note) for number, note in enumerate(notes)
        ]
    return rows


def _server_row(server: PhysicalServer, code: str, severity: str, text: str) -> dict[str, Any]:
    return {
        "key": f"server-{server.pk}-{code}",
        "severity": severity,
        "text": f"{server.name}: {text}",
        "hint": "",
        "subjects": [{"kind": "server", "server": server.pk}],
    }


def _problem_row(key: str, problem: Problem) -> dict[str, Any]:
    return {
        "key": key,
        # A warning that stood before and was not touched is shown, but need not be ticked again.
        "severity": "note" if problem.existing else problem.severity,
        "text": problem.text,
        "hint": problem.hint,
        "subjects": subject_rows(problem.subjects),
        "also": sorted(problem.also),
    }


def _settled(
    newest: Head,
    named: Desired,
    reviews: list[ServerReview],
    asked: list[int],
    missed: dict[int, list[str]],
) -> dict[str, Any]:
    """What the Change is held to when it is applied and decided."""
    known_names = {network.id: network.bridge for network in newest.state.networks}
    return {
        "bridges": {n.id: n.bridge for n in named.networks if known_names.get(n.id) != n.bridge},
        "adopted": {
            str(found.server.pk): {item.network: item.bridge for item in found.plan.adopted}
            for found in reviews
            if found.plan and found.plan.adopted
        },
        # What people say later was not on the review, and is asked when it is applied and decided.
        "intents": asked,
        "missed": {str(server): operations for server, operations in missed.items()},
    }


def _store(
    lease: Lease,
    change: Change,
    newest: Head,
    sentences: tuple[str, ...],
    rows: list[dict[str, Any]],
    settled: dict[str, Any],
    reviews: list[ServerReview],
) -> None:
    working = [found for found in reviews if found.has_work or found.refusals]
    with transaction.atomic():
        stored = _still_planning(lease).update(
            state=ChangeState.PLANNED,
            lease_until=None,
            base=newest.number,
            settled=settled,
            summary="\n".join(sentences),
            problems=rows,
            width=default_width(len(working)),
            version=F("version") + 1,
        )
        if not stored:
            return
        Operation.objects.filter(change=change).delete()
        Operation.objects.bulk_create(_operation(change, found) for found in working)
    log.info("change_planned", change=str(change.pk), servers=len(working))


def _operation(change: Change, found: ServerReview) -> Operation:
    answer = found.reply.answer if found.reply else None
    return Operation(
        change=change,
        server=found.server,
        server_name=found.server.name,
        state=OperationState.PLANNED,
        host_plan=found.host_plan,
        digest=answer.digest if answer else "",
        commands=[{"phase": c.phase, "text": c.text} for c in answer.commands] if answer else [],
        notes=[*found.notes, *(found.plan.notes if found.plan else ())],
        is_unreachable=found.is_unreachable,
        refusals=found.refusals,
        is_guarded=answer.is_guarded if answer else False,
    )
