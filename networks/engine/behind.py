"""Servers that do not follow desired yet, and how they come to follow it again.

A server that missed a decision is not told the old plan again: a new Change with a plan computed anew brings
it to whatever is desired by then.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from networks.choices import TERMINAL_CHANGE_STATES, ChangeState, OperationState
from networks.desired import at_revision, head, head_number
from networks.domain.state import Desired, Edit, Errand
from networks.models import Behind, Change, Decision, Operation
from networks.services.validate import refusals
from networks.state_json import load_edits

FIRST_TRY_S = 5
LONGEST_WAIT_S = 600


def fell_behind(
    operation: Operation, missed: int, reason: str, now: datetime, *, followed: int | None = None
) -> None:
    """Remember that the operation's server has missed the decision that made revision `missed`.

    It follows revision `followed`, the one before unless said; one that was behind before still follows what
    it followed then.
    """
    Operation.objects.filter(pk=operation.pk).update(
        state=OperationState.BEHIND, message=reason, ended_at=now, deadline_at=None
    )
    news = {
        "change_id": operation.change_id,
        "missed": missed,
        "reason": reason,
        "next_try_at": now + timedelta(seconds=FIRST_TRY_S),
    }
    Behind.objects.update_or_create(
        server_id=operation.server_id,
        defaults=news,
        create_defaults=news | {"followed": missed - 1 if followed is None else followed, "since": now},
    )


def missed_decision(operation: Operation, reason: str) -> None:
    """The server took its part back although its wave was decided."""
    decision = Decision.objects.filter(change=operation.change_id, wave=operation.wave).first()
    if operation.server_id is None:
        return
    if decision and decision.revision_id:
        fell_behind(operation, decision.revision_id, reason, timezone.now())
    elif not Behind.objects.filter(server=operation.server_id).update(reason=reason):
        # It would have been repaired. One that was behind before has missed nothing more.
        number = head_number()
        Behind.objects.get_or_create(
            server_id=operation.server_id,
            defaults={
                "change": operation.change,
                "followed": number,
                "missed": number,
                "reason": reason,
                "since": timezone.now(),
                "next_try_at": timezone.now() + timedelta(seconds=FIRST_TRY_S),
            },
        )


def caught_up(change: Change, operations: Collection[Operation]) -> None:
    """Their servers have committed a plan made for the whole of desired, as it was when it was made.

    One query where none of them was behind.
    """
    servers = {one.server_id for one in operations} - {None}
    behind = Behind.objects.filter(server__in=servers).order_by("pk")
    for server_id in behind.values_list("server_id", flat=True):
        brought_to(server_id, change, f"Brought forward by “{change}”.")


def brought_to(server_id: int, change: Change, text: str) -> None:
    """The server is as the plan of `change` wants it; `text` goes into the story of what it had missed.

    What is in that plan ends here, although the server may have missed something else since: were it brought
    forward once more, its errands would be done once more.
    """
    # Reviews from before migration 0012 do not tell.
    carried = change.settled.get("missed", {}).get(str(server_id), [])
    missed = Operation.objects.filter(server=server_id, state=OperationState.BEHIND)
    # All or nothing: without a row, a worker that takes over would not come back to what was missed.
    with transaction.atomic():
        # What was decided after the plan was made, it does not have.
        if not Behind.objects.filter(server=server_id, missed__lte=change.base).delete()[0]:
            missed = missed.filter(pk__in=carried)
            follows = Behind.objects.filter(server=server_id, followed__lt=change.base)
            follows.update(followed=change.base)
        line = {"at": timezone.now().isoformat(), "text": text}
        for one in missed.select_related("change"):
            Operation.objects.filter(pk=one.pk, state=OperationState.BEHIND).update(
                state=OperationState.DONE, message="", events=[*one.events, line]
            )
            tell_change(one.change)


def tell_change(change: Change) -> None:
    """The Change's own end follows what its servers turned out to be."""
    states = set(change.operations.values_list("state", flat=True))
    columns: dict[str, object] = {}
    if change.decided_at is not None and states == {OperationState.DONE}:
        columns = {"state": ChangeState.DONE, "result": ""}
    elif change.decided_at is None and OperationState.NEEDS_ATTENTION in states:
        columns = {"state": ChangeState.NEEDS_ATTENTION}
    Change.objects.filter(pk=change.pk, state__in=TERMINAL_CHANGE_STATES).update(
        version=F("version") + 1, **columns
    )


def followed_by(server_ids: Collection[int]) -> dict[int, Desired]:
    """For each of these servers that is behind, the state that it last followed."""
    rows = Behind.objects.filter(server__in=server_ids).values_list("server_id", "followed")
    states = {number: at_revision(number) for number in {followed for _, followed in rows}}
    return {server: states[followed] for server, followed in rows}


def missed_on(server_ids: Collection[int]) -> dict[int, list[str]]:
    """For each of these servers that has missed something, the operations in which it did."""
    rows = Operation.objects.filter(server__in=server_ids, state=OperationState.BEHIND).order_by("pk")
    found: dict[int, list[str]] = {}
    for server, pk in rows.values_list("server_id", "pk"):
        if server is not None:
            found.setdefault(server, []).append(str(pk))
    return found


def missed_errands(server_id: int) -> tuple[Edit, ...]:
    """What was to be done once to the server's containers by the Changes that it missed, and still can be.

    No revision keeps it (docs/adr/0016-errands.md), so that the plan for what is desired now lacks it.
    """
    missed = Operation.objects.filter(server=server_id, state=OperationState.BEHIND)
    newest = head().state
    kept: list[Edit] = []
    for operation in missed.select_related("change").order_by("change__decided_at"):
        for edit in load_edits(operation.change.edits):
            is_here = isinstance(edit, Errand) and edit.interface.server == server_id
            if is_here and not refusals(newest, [*kept, edit]):
                kept.append(edit)
    return tuple(kept)
