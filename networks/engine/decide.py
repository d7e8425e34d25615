"""The decision: one transaction that makes a Change's edits the next revision of desired."""

from __future__ import annotations

from dataclasses import replace

from django.db import IntegrityError, transaction
from django.utils import timezone

from networks.change_trail import record_change
from networks.choices import ChangeState, OperationState
from networks.desired import MissingRow, head, write_head
from networks.domain.state import AdapterKey, CreateVlan, Desired, apply_edits
from networks.domain.wanted import Adopted, record_adopted
from networks.engine.lease import Lease
from networks.models import Change
from networks.services.validate import refusals
from networks.state_json import load_edits

TRIES = 5


class Cancelled(Exception):
    """Somebody cancelled the Change before the decision."""


class DecisionRefused(Exception):
    """Desired has moved so that the edits break a rule now, or the inventory lost what they name."""


def decide(lease: Lease, change: Change) -> None:
    """Advance desired by the Change's edits and mark it decided, both or neither.

    Asked again for a decided Change it does nothing. Raises DecisionRefused, Cancelled, or LeaseLost if
    another worker owns the Change now.
    """
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                _decide(lease, change)
            return
        except IntegrityError as error:
            # Another Change took the revision number, or a name: look at the newest desired again.
            if attempt == TRIES - 1:
                raise DecisionRefused(f"Desired could not be stored: {error}") from error
        except MissingRow as error:
            raise DecisionRefused(f"The {error} is not in the inventory any more.") from error


def _decide(lease: Lease, change: Change) -> None:
    # Written first: from here on a cancel waits for the end of this transaction, and then comes too late.
    lease.update(state=ChangeState.DECIDED)
    change.refresh_from_db(fields=["decided_at", "cancel_requested_at"])
    if change.decided_at is not None:
        return
    if is_cancelled(change):
        raise Cancelled
    newest = head()
    edits = load_edits(change.edits)
    made = frozenset(AdapterKey(e.server, e.name) for e in edits if isinstance(e, CreateVlan))
    problems = refusals(newest.state, edits, made=made, found=change.is_found)
    if problems:
        raise DecisionRefused(" ".join(problem.text for problem in problems))
    after = settled(change, newest.state)
    revision = write_head(
        newest.number + 1, newest.state, after, author_id=change.author_id, reason=change.reason
    )
    lease.update(decided_at=timezone.now(), revision=revision)
    record_change("decided", change, f"Desired is revision {revision.number} now.")


def is_cancelled(change: Change) -> bool:
    """Whether a cancel still counts: not where a server has committed, which only a new Change undoes."""
    if change.cancel_requested_at is None:
        return False
    return not change.operations.filter(state=OperationState.COMMITTED).exists()


def settled(change: Change, newest: Desired) -> Desired:
    """The newest desired with the Change's edits, and with the names that its review fixed."""
    after = apply_edits(newest, load_edits(change.edits))
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
    for server, adopted in change.settled.get("adopted", {}).items():
        after = record_adopted(after, int(server), [Adopted(n, b) for n, b in adopted.items()])
    return after
