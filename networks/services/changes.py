"""Changes: reviewed, applied, cancelled. What talks to servers happens in the worker (networks/engine)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from functools import partial

import structlog
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from networks.change_trail import record_change
from networks.choices import ChangeState, OperationState
from networks.desired import head, head_number
from networks.domain.waves import needs_the_server, server_of
from networks.models import Change, Operation
from networks.services.drafts import (
    check_allowed,
    draft_of,
    edits_of,
    is_found,
    need_servers,
    put_back,
    still_to_do,
    take_applied,
)
from networks.services.errors import Conflict, NotAllowed
from networks.services.queueing import check_still_true, queue_reviewed
from networks.state_json import dump_edits, load_edits
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser

log = structlog.get_logger(__name__)

REVIEWS = (ChangeState.PLANNING, ChangeState.PLANNED)


class NothingToReview(Exception):
    """The draft is empty."""


def start_review(user: User, reason: str = "") -> Change:
    """Make a Change of the user's draft and have the worker plan it from a fresh look at the servers.

    Earlier reviews of hers that were not applied are discarded. Raises NothingToReview, NotAllowed.
    """
    draft, newest = draft_of(user), head()
    edits = still_to_do(draft, newest.state)
    if not edits:
        raise NothingToReview(
            "What your draft would do is so already: there is nothing to review."
            if edits_of(draft)
            else "Your draft is empty: there is nothing to review."
        )
    check_allowed(user, edits)
    with transaction.atomic():
        discard_reviews(user)
        change = Change.objects.create(
            author_id=user.pk,
            reason=reason or draft.reason,
            edits=dump_edits(edits),
            is_found=is_found(draft),
            base=newest.number,
            state=ChangeState.PLANNING,
            sent_at=timezone.now(),
        )
        transaction.on_commit(partial(send, "networks.plan_change", change.pk))
    return change


def start_repair(user: User, servers: Collection[int]) -> Change:
    """Make a Change without edits that brings these servers back to what was decided, and have it planned.

    The user's draft stays as it is. Raises NothingToReview for no servers, NotAllowed.
    """
    if not servers:
        raise NothingToReview("No physical server was chosen.")
    need_servers(user, servers)
    with transaction.atomic():
        discard_reviews(user)
        change = Change.objects.create(
            author_id=user.pk,
            repairs=sorted(set(servers)),
            base=head_number(),
            state=ChangeState.PLANNING,
            sent_at=timezone.now(),
        )
        transaction.on_commit(partial(send, "networks.plan_change", change.pk))
    return change


def check_may(user: User, change: Change) -> None:
    """Raise NotAllowed unless the user has the role that the Change needs where it touches something."""
    check_allowed(user, load_edits(change.edits))
    need_servers(user, change.repairs)


def may_touch(user: AnyUser, change: Change) -> bool:
    """Whether the user may operate every server that the Change names: whether to show a button. One query.

    `check_may` asks again, and for the networks as well.
    """
    mine = PhysicalServer.objects.operable_by(user).values("pk")
    return not change.named.exclude(server__in=mine).exists()


def discard_reviews(user: User) -> None:
    """Discard the user's reviews that were not applied: she has one at a time."""
    Change.objects.filter(author_id=user.pk, state__in=REVIEWS).update(
        state=ChangeState.DISCARDED, ended_at=timezone.now(), version=F("version") + 1
    )


def apply_change(
    user: User,
    change: Change,
    ticked: Collection[str],
    *,
    width: int | None = None,
    leave_out: Collection[int] = (),
) -> Change:
    """Let the worker apply a reviewed Change, or decide it here and now if it touches no server.

    `ticked` are the keys of the warnings that the user accepted; all must be. `width`: servers of a wave
    behind the first server, 0 for all at once, None for what the review proposes. `leave_out` are servers
    that could not be reached and are to come later. Raises NotAllowed, or Conflict with a sentence when it
    cannot be applied as it was reviewed.
    """
    check_may(user, change)
    if change.author_id != user.pk and not user.is_superuser:
        raise NotAllowed("Only the author of a reviewed change can apply it.")
    try:
        with transaction.atomic():
            # Inside: nothing may be decided between the check and the claim.
            _check_reviewed(change, ticked, leave_out)
            queue_reviewed(change, width, leave_out)
            take_applied(change.author_id, load_edits(change.edits))
            transaction.on_commit(partial(send, "networks.run_change", change.pk))
            record_change("applied", change, "", actor=user)
    except IntegrityError as error:
        raise Conflict(_in_the_way(user, change)) from error
    change.refresh_from_db()
    if not change.operations.exclude(state=OperationState.LEFT_OUT).exists():
        from networks.engine.runner import run_change

        run_change(change.pk)
        change.refresh_from_db()
    return change


def _check_reviewed(change: Change, ticked: Collection[str], leave_out: Collection[int]) -> None:
    if change.state != ChangeState.PLANNED:
        raise Conflict(f"This change is “{change.get_state_display()}” and cannot be applied.")
    check_still_true(change)
    if change.repairs and not change.operations.exists():
        raise Conflict("There is nothing to repair: the servers are as it was decided.")
    refused = [row["text"] for row in change.problems if row["severity"] == "refuse"]
    needed = {server_of(edit) for edit in load_edits(change.edits) if needs_the_server(edit)}
    for operation in change.operations.all():
        if not (operation.is_unreachable and operation.server_id in leave_out):
            refused += operation.refusals
        elif operation.server_id in needed:
            refused.append(
                f"{operation.server_name} cannot be left out: its new VLAN adapters, and what is to be done "
                "to interfaces and addresses, can only be done when it answers. Take those out of the draft."
            )
    if refused:
        raise Conflict("It cannot be applied: " + " ".join(refused))
    missing = [r["text"] for r in change.problems if r["severity"] == "warn" and r["key"] not in ticked]
    if missing:
        raise Conflict("Tick every warning to accept it, or mend the draft. Not ticked: " + " ".join(missing))


def _in_the_way(user: User, change: Change) -> str:
    servers = change.operations.values("server")
    busy = (
        Operation.objects.filter(server__in=servers)
        .exclude(change=change)
        .exclude(state__in=[OperationState.PLANNED])
        .filter(ended_at=None)
        .select_related("server", "change")
    )
    told = set(Change.objects.visible_to(user).filter(operations__in=busy).values_list("pk", flat=True))
    names = ", ".join(
        f"{op.server_name} (“{op.change}”)" if op.change_id in told else op.server_name for op in busy
    )
    where = names or "one of the servers"
    return f"Another change is under way on {where}. Wait for its end, then review again."


def cancel_change(user: User, change: Change) -> None:
    """Ask the worker to take an undecided Change back; after the decision Conflict says to revert instead."""
    check_may(user, change)
    now, next_version = timezone.now(), F("version") + 1
    mine = Change.objects.filter(pk=change.pk)
    # By what the row says now: it may have been applied since the page was made. A review is its author's.
    own = mine if user.is_superuser else mine.filter(author=user)
    with transaction.atomic():
        if own.filter(state__in=REVIEWS).update(
            state=ChangeState.DISCARDED, ended_at=now, version=next_version
        ):
            return
        # Of several waves the one under way is taken back; what earlier ones decided stays.
        asked = (
            mine.exclude(state__in=REVIEWS)
            .filter(decided_at=None, ended_at=None)
            .update(cancel_requested_at=now, version=next_version)
        )
        if not asked:
            raise Conflict("It has been decided already. Revert it with a new change instead.")
        record_change("cancelled", change, "", actor=user)
    send("networks.run_change", change.pk)


def mend(user: User, change: Change) -> None:
    """Put the edits of an ended Change back into the user's draft, beside what is there.

    Of one that was done in part only those of the waves that were not decided. Raises NotAllowed, or Conflict
    if there is nothing to put back.
    """
    from networks.engine.decide import wave_edits

    decided = set(change.decisions.values_list("wave", flat=True))
    parts = sorted(set(change.operations.values_list("wave", flat=True)) | {1})
    edits = wave_edits(change, *(wave for wave in parts if wave not in decided))
    if not edits or not change.is_terminal:
        raise Conflict("Nothing of this change has to go back into your draft.")
    check_allowed(user, edits)
    put_back(user, edits, found=change.is_found, reason=change.reason)


def visible_changes(user: AnyUser) -> QuerySet[Change]:
    """Changes that the user may see, newest first, with `servers_count`."""
    parts = Operation.objects.filter(change=OuterRef("pk")).order_by().values("change")
    count = Coalesce(Subquery(parts.annotate(n=Count("pk")).values("n")), 0)
    rows = Change.objects.visible_to(user).exclude(state=ChangeState.DISCARDED)
    return rows.select_related("author").annotate(servers_count=count)


def hidden_changes(user: AnyUser) -> int:
    """How many applied Changes touch servers that the user may not see. One query, or none."""
    if getattr(user, "is_superuser", False):
        return 0
    applied = Change.objects.exclude(state__in=(*REVIEWS, ChangeState.DISCARDED))
    return applied.exclude(pk__in=Change.objects.visible_to(user).values("pk")).count()


def send(task: str, pk: uuid.UUID) -> None:
    """Send a task by name; a broker that is away costs time only: the row is the outbox."""
    from vnetpanel.celery import app

    try:
        app.send_task(task, args=[str(pk)])
    except Exception as error:  # whatever the transport raises: the sweeper sends it again
        log.warning("broker_unreachable", task=task, pk=str(pk), error=str(error))
