"""The decision: one transaction that makes what a wave of a Change asks for the next revision of desired."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from networks.change_trail import record_change
from networks.choices import ChangeState, OperationState
from networks.desired import Head, MissingRow, alone, head, write_head
from networks.domain.state import AdapterKey, CreateVlan, Desired, Edit, apply_edits
from networks.domain.wanted import Adopted, record_adopted
from networks.domain.waves import edits_of_wave
from networks.engine.behind import fell_behind
from networks.engine.lease import Lease
from networks.models import Change, Decision, Revision
from networks.services.queueing import not_reviewed
from networks.services.validate import refusals
from networks.state_json import load_edits

TRIES = 5


class Cancelled(Exception):
    """Somebody cancelled the Change before the decision."""


class DecisionRefused(Exception):
    """Desired has moved so that the edits break a rule now, or the inventory lost what they name."""


def decide(lease: Lease, change: Change, wave: int = 1) -> None:
    """Advance desired by what the wave asks for and store its Decision, both or neither.

    Asked again for a decided wave it does nothing. Raises DecisionRefused, Cancelled, or LeaseLost if
    another worker owns the Change now.
    """
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                _decide(lease, change, wave)
            return
        except IntegrityError as error:
            # Another Change took the revision number, or a name: look at the newest desired again.
            if attempt == TRIES - 1:
                raise DecisionRefused(f"Desired could not be stored: {error}") from error
        except MissingRow as error:
            raise DecisionRefused(f"The {error} is not in the inventory any more.") from error


def _decide(lease: Lease, change: Change, wave: int) -> None:
    # Written first: from here on a cancel waits for the end of this transaction, and then comes too late.
    lease.update(state=ChangeState.DECIDED)
    alone()
    change.refresh_from_db(fields=["decided_at", "cancel_requested_at"])
    if is_decided(change, wave):
        return
    if is_cancelled(change, wave):
        raise Cancelled
    now, newest = timezone.now(), head()
    edits = wave_edits(change, wave)
    made = frozenset(AdapterKey(e.server, e.name) for e in edits if isinstance(e, CreateVlan))
    problems = refusals(newest.state, edits, change.author, made=made, found=change.is_found)
    if problems:
        raise DecisionRefused(" ".join(problem.text for problem in problems))
    reviewed = wave_edits(change, *range(1, wave + 1))
    to_come = wave_edits(change, *range(wave + 1, last_wave(change) + 1))
    if new := not_reviewed(change, newest, edits, reviewed, made, to_come):
        raise DecisionRefused(new)
    revision = _next_revision(change, newest, settled(change, newest.state, wave))
    Decision.objects.create(change=change, wave=wave, revision=revision, decided_at=now)
    columns: dict[str, object] = {"revision": revision} if revision else {}
    if wave == last_wave(change):
        columns["decided_at"] = now
        _leave_behind(change, newest.number, revision, now)
    if columns:
        lease.update(**columns)
    number = revision.number if revision else newest.number
    record_change("decided", change, f"Wave {wave}: desired is revision {number} now.")


def _next_revision(change: Change, newest: Head, after: Desired) -> Revision | None:
    if change.repairs and after.without_errands() == newest.state:
        return None  # the server is brought to what had been decided already
    return write_head(
        newest.number + 1, newest.state, after, author_id=change.author_id, reason=change.reason
    )


def _leave_behind(change: Change, before: int, revision: Revision | None, now: datetime) -> None:
    """Servers that were left out are behind from the decision on; a repair may have decided nothing new."""
    missed = revision.number if revision else before
    for operation in change.operations.filter(state=OperationState.LEFT_OUT).exclude(server=None):
        reason = operation.message or "It was left out of the change."
        fell_behind(operation, missed, reason, now, followed=before)


def is_decided(change: Change, wave: int) -> bool:
    return change.decisions.filter(wave=wave).exists()


def last_wave(change: Change) -> int:
    """The number of the Change's last wave; a Change without servers has one."""
    return max(change.operations.values_list("wave", flat=True), default=1)


def wave_edits(change: Change, *waves: int) -> tuple[Edit, ...]:
    """The edits that these waves of the Change decide, wave by wave."""
    edits = load_edits(change.edits)
    parts = dict(change.operations.exclude(server=None).values_list("server_id", "wave"))
    last = max(parts.values(), default=1)
    return tuple(edit for wave in waves for edit in edits_of_wave(edits, wave, parts, last))


def is_cancelled(change: Change, wave: int) -> bool:
    """Whether a cancel still counts: not where a server has committed, which only a new Change undoes."""
    if change.cancel_requested_at is None:
        return False
    return not change.operations.filter(wave=wave, state=OperationState.COMMITTED).exists()


def settled(change: Change, newest: Desired, wave: int = 1) -> Desired:
    """The newest desired with the wave's edits, and with the names that the review of the Change fixed."""
    after = apply_edits(newest, wave_edits(change, wave))
    bridges = change.settled.get("bridges", {})
    after = replace(
        after,
        networks=tuple(
            replace(network, bridge=bridges[network.id])
            if not network.bridge and network.id in bridges
            else network
            for network in after.networks
        ),
    )
    others = set(change.operations.exclude(wave=wave).values_list("server_id", flat=True))
    for server, adopted in change.settled.get("adopted", {}).items():
        if int(server) not in others:
            after = record_adopted(after, int(server), [Adopted(n, b) for n, b in adopted.items()])
    return after
