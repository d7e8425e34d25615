"""What the schedule repeats every few seconds: nothing may hang on a lost message or a dead worker.

The broker may lose anything and workers may die at any time; a row with a lease that has run out is sent
again. Servers that missed an answer are asked until they have settled.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from networks.choices import TERMINAL_CHANGE_STATES, ChangeState, OperationState
from networks.engine.hosts import Host, NoAnswer
from networks.engine.operation import StepFailed, server_of
from networks.models import Change, Operation
from networks.services.changes import send

log = structlog.get_logger(__name__)

RESEND_AFTER_S = 15
PLAN_RESEND_AFTER_S = 45
"""Planning looks at servers: an unreachable one takes its full deadline before the plan is stored."""
FOLLOW_MAX_S = 600


def sweep() -> None:
    """Send unowned Changes to a worker again; settle operations in doubt; replay what must follow."""
    resend_unowned()
    settle_doubtful()
    replay_follows()


def resend_unowned() -> int:
    """Send every open Change that nobody works on, and that was not sent just now; how many."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    planning = Q(state=ChangeState.PLANNING, sent_at__lt=now - timedelta(seconds=PLAN_RESEND_AFTER_S))
    running = ~Q(state__in=(ChangeState.PLANNING, ChangeState.PLANNED)) & Q(
        sent_at__lt=now - timedelta(seconds=RESEND_AFTER_S)
    )
    due = Change.objects.exclude(state__in=TERMINAL_CHANGE_STATES).filter(free).filter(planning | running)
    sent = 0
    for pk, state in due.values_list("pk", "state"):
        # Two sweepers may run; the one whose UPDATE hits sends.
        stale = Q(sent_at__lt=now - timedelta(seconds=RESEND_AFTER_S))
        if Change.objects.filter(stale, pk=pk).update(sent_at=now):
            send("networks.plan_change" if state == ChangeState.PLANNING else "networks.run_change", pk)
            sent += 1
    return sent


def settle_doubtful() -> None:
    """Ask servers whose outcome is unknown, of Changes that have ended."""
    doubtful = Operation.objects.filter(
        state=OperationState.IN_DOUBT, change__state__in=TERMINAL_CHANGE_STATES
    ).select_related("server__credential", "change")
    for operation in doubtful:
        try:
            answer = Host(server_of(operation)).status(operation.pk)
        except (NoAnswer, StepFailed):
            continue
        settle(operation, answer.state)


def settle(operation: Operation, state: str) -> None:
    """Store what the server says became of the transaction."""
    decided = operation.change.decided_at is not None
    match state:
        case "committed" if decided:
            columns = {"state": OperationState.DONE, "must_follow": True, "next_follow_at": timezone.now()}
            text = "The server answers: it has committed."
        case "committed":
            columns = {"state": OperationState.NEEDS_ATTENTION}
            text = "The server answers: it had committed before the Change failed; it differs from desired."
        case "rolledback" | "none":
            columns = {"state": OperationState.BEHIND if decided else OperationState.ROLLED_BACK}
            text = "The server answers: it is as before."
        case _:
            return
    line = {"at": timezone.now().isoformat(), "text": text}
    with transaction.atomic():
        Operation.objects.filter(pk=operation.pk, state=OperationState.IN_DOUBT).update(
            ended_at=timezone.now(), events=[*operation.events, line], **columns
        )
        Change.objects.filter(pk=operation.change_id).update(version=F("version") + 1)


def replay_follows() -> None:
    """Bring vzctl's saved configuration after commits whose first try did not agree, less and less often."""
    now = timezone.now()
    due = Operation.objects.filter(must_follow=True, next_follow_at__lte=now, state=OperationState.DONE)
    for operation in due.select_related("server__credential"):
        wait = min(FOLLOW_MAX_S, 15 * 2 ** min(operation.follow_attempts, 6))
        claimed = Operation.objects.filter(pk=operation.pk, next_follow_at=operation.next_follow_at).update(
            follow_attempts=F("follow_attempts") + 1, next_follow_at=now + timedelta(seconds=wait)
        )
        if claimed:
            follow_again(operation.pk)


def follow_again(operation_id: uuid.UUID) -> bool:
    """One more try; True if the saved configuration agrees now."""
    operation = Operation.objects.select_related("server__credential").get(pk=operation_id)
    try:
        answer = Host(server_of(operation)).follow(operation.pk)
    except (NoAnswer, StepFailed) as error:
        log.info("follow_failed", operation=str(operation_id), error=str(error))
        return False
    if answer.ok:
        Operation.objects.filter(pk=operation_id).update(must_follow=False, next_follow_at=None)
        Change.objects.filter(pk=operation.change_id).update(version=F("version") + 1)
    return answer.ok
