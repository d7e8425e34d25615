"""Changes: reviewed, applied, cancelled. What talks to servers happens in the worker (networks/engine)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from functools import partial

import structlog
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from networks.change_trail import record_change
from networks.choices import ChangeState, OperationState
from networks.desired import at_revision, head, head_number
from networks.domain.diff import edits_between
from networks.domain.state import (
    AddAddress,
    AddInterface,
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DeleteVlan,
    DescribeNetwork,
    Edit,
    RemoveAddress,
    RemoveInterface,
    RemoveMember,
    Unassign,
)
from networks.models import Change, Draft, Operation
from networks.services.drafts import (
    check_allowed,
    draft_of,
    edits_of,
    is_found,
    need_servers,
    take_applied,
)
from networks.services.errors import Conflict, NotAllowed
from networks.services.validate import refusals
from networks.state_json import load_edits
from nodes.querysets import AnyUser

log = structlog.get_logger(__name__)

REVIEWS = (ChangeState.PLANNING, ChangeState.PLANNED)
UNDECIDED = (ChangeState.QUEUED, ChangeState.APPLYING, ChangeState.VERIFYING, ChangeState.ROLLING_BACK)


class NothingToReview(Exception):
    """The draft is empty."""


def start_review(user: User, reason: str = "") -> Change:
    """Make a Change of the user's draft and have the worker plan it from a fresh look at the servers.

    Earlier reviews of hers that were not applied are discarded. Raises NothingToReview, NotAllowed.
    """
    draft = draft_of(user)
    edits = edits_of(draft)
    if not edits:
        raise NothingToReview("Your draft is empty: there is nothing to review.")
    check_allowed(user, edits)
    with transaction.atomic():
        _discard_reviews(user)
        change = Change.objects.create(
            author_id=user.pk,
            reason=reason or draft.reason,
            edits=draft.edits,
            is_found=is_found(draft),
            base=draft.base,
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
        _discard_reviews(user)
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


def _discard_reviews(user: User) -> None:
    Change.objects.filter(author_id=user.pk, state__in=REVIEWS).update(
        state=ChangeState.DISCARDED, ended_at=timezone.now(), version=F("version") + 1
    )


def apply_change(user: User, change: Change, ticked: Collection[str]) -> Change:
    """Let the worker apply a reviewed Change, or decide it here and now if it touches no server.

    `ticked` are the keys of the warnings that the user accepted; all must be. Raises NotAllowed, or Conflict
    with a sentence when it cannot be applied as it was reviewed.
    """
    check_may(user, change)
    if change.author_id != user.pk and not user.is_superuser:
        raise NotAllowed("Only the author of a reviewed change can apply it.")
    try:
        with transaction.atomic():
            # Inside: nothing may be decided between the check and the claim.
            _check_reviewed(change, ticked)
            _queue(change)
            take_applied(change.author_id, load_edits(change.edits))
            transaction.on_commit(partial(send, "networks.run_change", change.pk))
            record_change("applied", change, "", actor=user)
    except IntegrityError as error:
        raise Conflict(_in_the_way(change)) from error
    change.refresh_from_db()
    if not change.operations.exists():
        from networks.engine.runner import run_change

        run_change(change.pk)
        change.refresh_from_db()
    return change


def _check_reviewed(change: Change, ticked: Collection[str]) -> None:
    if change.state != ChangeState.PLANNED:
        raise Conflict(f"This change is “{change.get_state_display()}” and cannot be applied.")
    _check_still_true(change)
    if change.repairs and not change.operations.exists():
        raise Conflict("There is nothing to repair: the servers are as it was decided.")
    refused = [row["text"] for row in change.problems if row["severity"] == "refuse"]
    refused += [text for operation in change.operations.all() for text in operation.refusals]
    if refused:
        raise Conflict("It cannot be applied: " + " ".join(refused))
    missing = [r["text"] for r in change.problems if r["severity"] == "warn" and r["key"] not in ticked]
    if missing:
        raise Conflict("Tick every warning to accept it, or mend the draft. Not ticked: " + " ".join(missing))


def _check_still_true(change: Change) -> None:
    """What was decided since the review must neither touch the same things nor break a rule with it."""
    newest = head()
    edits = load_edits(change.edits)
    if newest.number != change.base:
        since = edits_between(at_revision(change.base), newest.state)
        # Errands leave no trace in a revision: the Changes decided meanwhile tell of them.
        decided = Change.objects.filter(revision__gt=change.base).values_list("edits", flat=True)
        done = [edit for text in decided for edit in load_edits(text)]
        if touched((*since, *done)) & (touched(edits) | set(change.repairs)):
            raise Conflict(
                "Another change of the same networks or servers was decided since this review. "
                "Review the draft again."
            )
    broken = refusals(newest.state, edits, found=change.is_found)
    if broken:
        raise Conflict("It cannot be applied any more: " + " ".join(problem.text for problem in broken))


def _queue(change: Change) -> None:
    problems = [{**row, "ticked": row["severity"] == "warn"} for row in change.problems]
    claimed = Change.objects.filter(pk=change.pk, state=ChangeState.PLANNED).update(
        state=ChangeState.QUEUED,
        problems=problems,
        sent_at=timezone.now(),
        attempts=0,
        version=F("version") + 1,
    )
    if claimed != 1:
        raise Conflict("This change is being applied already.")
    _check_networks_free(change)
    change.operations.filter(state=OperationState.PLANNED).update(state=OperationState.QUEUED)


def _check_networks_free(change: Change) -> None:
    """Two undecided Changes must not touch one network: the second was planned without the first."""
    mine = touched_networks(change)
    for other in Change.objects.filter(state__in=UNDECIDED).exclude(pk=change.pk):
        if mine & touched_networks(other):
            raise Conflict(
                f"“{other}” is under way on the same network. Wait for its end, then review again."
            )


def touched_networks(change: Change) -> set[str]:
    """Ids of the networks that the Change's edits name."""
    return {thing for thing in touched(load_edits(change.edits)) if isinstance(thing, str)}


def touched(edits: Iterable[Edit]) -> set[str | int]:
    """Ids of the networks (text) and of the servers (numbers) that the edits name."""
    found: set[str | int] = set()
    for edit in edits:
        match edit:
            case CreateNetwork(id=network) | DescribeNetwork(id=network) | DeleteNetwork(id=network):
                found.add(network)
            case Assign(network=network, server=server) | Unassign(network=network, server=server):
                found |= {network, server}
            case AddMember(network=network, interface=interface):
                found |= {network, interface.server}
            case RemoveMember(interface=interface):
                found.add(interface.server)
            case CreateVlan(server=server) | DeleteVlan(server=server):
                found.add(server)
            case AddInterface(interface=interface) | RemoveInterface(interface=interface):
                found.add(interface.server)
            case AddAddress(interface=interface) | RemoveAddress(interface=interface):
                found.add(interface.server)
    return found


def _in_the_way(change: Change) -> str:
    servers = change.operations.values("server")
    busy = (
        Operation.objects.filter(server__in=servers)
        .exclude(change=change)
        .exclude(state__in=[OperationState.PLANNED])
        .filter(ended_at=None)
        .select_related("server", "change")
    )
    names = ", ".join(f"{op.server_name} (“{op.change}”)" for op in busy)
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
    """Put the edits of an ended or reviewed Change back into the user's draft, in place of what is there."""
    edits = load_edits(change.edits)
    check_allowed(user, edits)
    if change.repairs and not edits:
        return
    Draft.objects.update_or_create(
        user_id=user.pk,
        defaults={
            "edits": change.edits,
            "found": change.edits if change.is_found else "[]",
            "base": head().number,
            "reason": change.reason,
        },
    )


def visible_changes(user: AnyUser) -> Collection[Change]:
    """Changes that the user may see, newest first."""
    return Change.objects.visible_to(user).exclude(state=ChangeState.DISCARDED).select_related("author")


def send(task: str, pk: uuid.UUID) -> None:
    """Send a task by name; a broker that is away costs time only: the row is the outbox."""
    from vnetpanel.celery import app

    try:
        app.send_task(task, args=[str(pk)])
    except Exception as error:  # whatever the transport raises: the sweeper sends it again
        log.warning("broker_unreachable", task=task, pk=str(pk), error=str(error))
