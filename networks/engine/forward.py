"""Bringing servers forward that are behind: a Change without edits, planned anew, as soon as they answer."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from networks.change_trail import record_change
from networks.choices import TERMINAL_CHANGE_STATES, ChangeState
from networks.desired import head_number
from networks.engine.behind import FIRST_TRY_S, LONGEST_WAIT_S, brought_to
from networks.models import Behind, Change
from networks.services.changes import send
from networks.services.errors import Conflict
from networks.services.queueing import check_still_true, queue_reviewed
from nodes.choices import ServerState

log = structlog.get_logger(__name__)


def bring_forward_due() -> int:
    """Begin to bring forward every server that is behind, answers again, and is not tried already; how many.

    Tries come less and less often. A server that answers is one whose last look was well; whether it
    still does, the planning's own look finds out.
    """
    now = timezone.now()
    due = Behind.objects.filter(
        Q(next_try_at=None) | Q(next_try_at__lte=now),
        Q(attempt=None) | Q(attempt__state__in=TERMINAL_CHANGE_STATES),
        server__state=ServerState.OK,
        server__is_enabled=True,
    )
    begun = 0
    for row in due.select_related("server"):
        wait = min(LONGEST_WAIT_S, FIRST_TRY_S * 2 ** min(row.tries + 1, 8))
        with transaction.atomic():
            # Two sweepers may run; the one whose UPDATE hits begins.
            mine = Behind.objects.filter(pk=row.pk, tries=row.tries).update(
                tries=F("tries") + 1, next_try_at=now + timedelta(seconds=wait)
            )
            if not mine:
                continue
            change = Change.objects.create(
                state=ChangeState.PLANNING,
                base=head_number(),
                repairs=[row.server_id],
                reason=row.reason[:500],
                is_automatic=True,
                sent_at=now,
            )
            Behind.objects.filter(pk=row.pk).update(attempt=change)
        send("networks.plan_change", change.pk)
        begun += 1
    return begun


def go_on(change: Change) -> None:
    """Apply an automatic Change that has been planned; where something speaks against it, tell and forget it.

    A warning speaks against it unless somebody has accepted the same one of that server before.
    """
    operations = list(change.operations.all())
    against = [row["text"] for row in change.problems if row["severity"] == "refuse"]
    against += [text for operation in operations for text in operation.refusals]
    against += _new_warnings(change)
    if operations and not against:
        try:
            with transaction.atomic():
                check_still_true(change)
                queue_reviewed(change)
                record_change("applied", change, "Brought forward by the panel.")
        except (Conflict, IntegrityError) as error:
            against = [str(error)]
        else:
            send("networks.run_change", change.pk)
            return
    with transaction.atomic():
        if not Change.objects.filter(pk=change.pk, state=ChangeState.PLANNED).update(
            state=ChangeState.DISCARDED
        ):
            return  # somebody else goes on with it
        rows = Behind.objects.filter(server__in=change.repairs)
        if against:
            rows.update(reason=_reason(change, against))
        else:
            # Its own record says so.
            for server in change.repairs:
                brought_to(server, change, "It was found as it was decided.")
        Change.objects.filter(pk=change.pk).delete()


def go_on_with_planned() -> None:
    """Go on with automatic Changes that have been planned: right then, or later if their worker died."""
    for change in Change.objects.filter(is_automatic=True, state=ChangeState.PLANNED):
        go_on(change)


def _new_warnings(change: Change) -> list[str]:
    accepted = {
        row["key"]
        for other in Change.objects.filter(operations__server__in=change.repairs).exclude(pk=change.pk)[:20]
        for row in other.problems
        if row.get("ticked")
    }
    return [r["text"] for r in change.problems if r["severity"] == "warn" and r["key"] not in accepted]


def _reason(change: Change, against: list[str]) -> str:
    """Why it is behind, and why it could not be brought forward just now."""
    first = change.reason.split(" Tried again:")[0]
    return f"{first} Tried again: {' '.join(against)}"[:2000]
