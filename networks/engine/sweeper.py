"""What the schedule repeats every few seconds: nothing may hang on a lost message or a dead worker.

The broker may lose anything and workers may die at any time; a row with a lease that has run out is sent
again. Servers that missed an answer are asked until they have settled.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from networks.choices import TERMINAL_CHANGE_STATES, ChangeState, OperationState
from networks.engine.behind import caught_up, missed_decision, tell_change
from networks.engine.decide import is_decided
from networks.engine.forward import bring_forward_due, go_on_with_planned
from networks.engine.hosts import BUSY, UNKNOWN, Host, NoAnswer
from networks.engine.operation import StepFailed, server_of
from networks.engine.story import MAX_EVENT, MAX_MESSAGE, plain
from networks.models import Change, Operation
from networks.services.changes import send
from nodes.crew import in_threads
from trust.audit import record

log = structlog.get_logger(__name__)

RESEND_AFTER_S = 15
FOLLOW_MAX_S = 600
ASK_AGAIN_S, ASK_MAX_S = 10, 60
WIDTH = 16
"""Servers in doubt that are asked at the same time; each costs a connection to the database meanwhile."""
UNWATCHED = ("preparing", "applying", "applied", "rollingback", "stuck")
"""States that end by themselves while a watcher of the server lives."""
GIVEN_UP = (
    "vzctl has not done all of it in a week, and is not asked any more. Mend the cause, then repair the "
    "server's drift, or ask for the rest in a new change."
)
SUPERSEDED = "Another change was committed on the server before vzctl had done all of this one."
FOLLOW_FOR = timedelta(days=7)
"""So long vzctl is asked for what it does not do; somebody may have to stop or start a container first."""
GIVE_UP_AFTER = timedelta(days=1)
"""A server silent for so long waits for a person, and no longer stands in the way of other Changes."""


def sweep() -> None:
    """Send unowned Changes to a worker again; bring servers forward that are behind; replay what must follow;
    settle operations in doubt.
    """
    resend_unowned()
    go_on_with_planned()
    bring_forward_due()
    replay_follows()
    # Last: those in doubt are mostly silent, and take their full deadline.
    settle_doubtful()


def resend_unowned() -> int:
    """Send every open Change that nobody works on, and that was not sent just now; how many."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    stale = Q(sent_at__lt=now - timedelta(seconds=RESEND_AFTER_S))
    waiting = TERMINAL_CHANGE_STATES | {ChangeState.PLANNED}
    sent = 0
    for pk, state in (
        Change.objects.exclude(state__in=waiting).filter(free & stale).values_list("pk", "state")
    ):
        # Two sweepers may run; the one whose UPDATE hits sends.
        if Change.objects.filter(stale, pk=pk).update(sent_at=now):
            send("networks.plan_change" if state == ChangeState.PLANNING else "networks.run_change", pk)
            sent += 1
    return sent


def settle_doubtful() -> None:
    """Ask servers whose outcome is unknown, of Changes that have ended, less and less often."""
    due = Operation.objects.filter(
        Q(next_follow_at=None) | Q(next_follow_at__lte=timezone.now()),
        state=OperationState.IN_DOUBT,
        change__state__in=TERMINAL_CHANGE_STATES,
    )
    _ask_each(due, _settle_one, "settle", ASK_AGAIN_S, ASK_MAX_S)


def _settle_one(operation_id: uuid.UUID) -> None:
    operation = Operation.objects.select_related("server__credential", "change").get(pk=operation_id)
    try:
        host = Host(server_of(operation))
        state = host.status(operation.pk).state
        if state == "none":
            # Its plan may still be on the way, from a worker that sleeps: the server is told to refuse it.
            state = host.bar(operation.pk).state
            if state == "none":
                return
        elif state in UNWATCHED and host.recover().code != BUSY:
            # Nobody there takes it back any more: its watchers are dead, and no timer calls.
            state = host.status(operation.pk).state
    except (NoAnswer, StepFailed):
        ended = operation.change.ended_at
        if ended is None or timezone.now() < ended + GIVE_UP_AFTER:
            return
        state = "silent"
    settle(operation, state)


def settle(operation: Operation, state: str) -> None:
    """Store what the server says became of the transaction ("silent": it did not answer for a day)."""
    decided = is_decided(operation.change, operation.wave)
    now = timezone.now()
    columns: dict[str, object] = {"next_follow_at": None, "follow_attempts": 0, "ended_at": now}
    match state:
        case "committed" if decided:
            columns |= {"state": OperationState.DONE, "must_follow": True, "next_follow_at": now}
            text = "The server answers: it has committed."
        case "committed":
            columns |= {"state": OperationState.NEEDS_ATTENTION}
            text = "The server answers: it had committed before the Change failed; it differs from desired."
        case "rolledback" | "none":
            columns |= {"state": OperationState.BEHIND if decided else OperationState.ROLLED_BACK}
            text = "Missed the decision: the server answers that it is as before."
            if not decided:
                text = "The server answers: it is as before."
        case "failed":
            columns |= {"state": OperationState.NEEDS_ATTENTION}
            text = "The server answers: it gave up taking the change back; look at its network."
        case "silent":
            columns |= {"state": OperationState.NEEDS_ATTENTION}
            text = "The server has not answered for a day. When it does, look at its network."
        case _:
            return
    line = {"at": now.isoformat(), "text": text}
    with transaction.atomic():
        settled = Operation.objects.filter(pk=operation.pk, state=OperationState.IN_DOUBT).update(
            events=[*operation.events, line], message=text, **columns
        )
        if not settled:
            return
        if columns["state"] == OperationState.BEHIND:
            missed_decision(operation, text)
        elif columns["state"] == OperationState.DONE:
            caught_up(operation.change, [operation])
        tell_change(operation.change)
        record(
            "change.settled",
            f"Change {operation.change_id} on {operation.server_name}: {text}",
            actor="",
            servers=[(operation.server_id or 0, operation.server_name)],
        )


def replay_follows() -> None:
    """Bring vzctl's saved configuration after commits whose first try did not agree, less and less often."""
    now = timezone.now()
    due = Operation.objects.filter(must_follow=True, next_follow_at__lte=now, state=OperationState.DONE)
    _ask_each(due, follow_again, "follow", RESEND_AFTER_S, FOLLOW_MAX_S)


_Due = tuple[uuid.UUID, datetime | None, int]
"""An operation, when it was to be asked next, and how often it was asked."""


def _ask_each(
    due: QuerySet[Operation], work: Callable[[uuid.UUID], object], name: str, first_s: int, longest_s: int
) -> None:
    """Do the work for each of these operations that nobody else asks about; see _is_mine for the seconds.

    For many servers at the same time, for those of one server one after the other: it does one at a time.
    """
    by_server: dict[int | None, list[_Due]] = {}
    columns = ("server_id", "pk", "next_follow_at", "follow_attempts")
    for server, pk, asked_at, tries in due.values_list(*columns):
        by_server.setdefault(server, []).append((pk, asked_at, tries))

    def ask_server(rows: list[_Due]) -> None:
        for row in rows:
            # Claimed only now: sweepers that come meanwhile take those that nobody asks yet.
            if _is_mine(*row, first_s, longest_s):
                _without_fail(work, row[0])

    in_threads(ask_server, list(by_server.values()), WIDTH, name)


def _is_mine(pk: uuid.UUID, asked_at: datetime | None, tries: int, first_s: int, longest_s: int) -> bool:
    """Claim the next try with that server, and say when the one after it is due."""
    wait = min(longest_s, first_s * 2 ** min(tries, 6))
    return bool(
        Operation.objects.filter(pk=pk, next_follow_at=asked_at).update(
            follow_attempts=F("follow_attempts") + 1, next_follow_at=timezone.now() + timedelta(seconds=wait)
        )
    )


def _without_fail(work: Callable[[uuid.UUID], object], pk: uuid.UUID) -> None:
    """One server's trouble must not keep the sweeper from the others."""
    try:
        work(pk)
    except Exception:
        log.exception("sweep_failed", operation=str(pk))


def follow_again(operation_id: uuid.UUID) -> bool:
    """One more try; True if the saved configuration agrees now.

    A server that has committed another transaction since cannot go on with this one: the next plan saves
    what it finds missing.
    """
    operation = Operation.objects.select_related("server__credential").get(pk=operation_id)
    try:
        host = Host(server_of(operation))
        answer = host.follow(operation.pk)
        is_over = answer.ok or answer.code == UNKNOWN
        is_given_up = not is_over and _is_late(operation) and host.let_go(operation.pk).ok
    except (NoAnswer, StepFailed) as error:
        log.info("follow_failed", operation=str(operation_id), error=str(error))
        return False
    words = " ".join([answer.words, *(note.text for note in answer.answer.warnings)]).strip()
    if answer.ok:
        _end_follow(operation, "vzctl has done all of it now.", message="")
    elif is_over:
        _end_follow(operation, SUPERSEDED, message=SUPERSEDED)
    elif is_given_up:
        text = f"{GIVEN_UP} {words}"
        _end_follow(operation, text, message=text, state=OperationState.NEEDS_ATTENTION)
    else:
        _tell(operation, message=f"Not all is done by vzctl yet. {words}")
    return answer.ok


def _end_follow(operation: Operation, text: str, **columns: Any) -> None:
    events = [*operation.events, {"at": timezone.now().isoformat(), "text": plain(text, MAX_EVENT)}]
    _tell(operation, must_follow=False, next_follow_at=None, events=events, **columns)


def _tell(operation: Operation, **columns: Any) -> None:
    columns["message"] = plain(columns["message"], MAX_MESSAGE)
    if len(columns) > 1 or columns["message"] != operation.message:
        Operation.objects.filter(pk=operation.pk).update(**columns)
        Change.objects.filter(pk=operation.change_id).update(version=F("version") + 1)


def _is_late(operation: Operation) -> bool:
    return operation.ended_at is not None and timezone.now() > operation.ended_at + FOLLOW_FOR
