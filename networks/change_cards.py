"""A server's part of a Change as its page shows it, rendered once for all who watch and all that follows.

A page of fifty servers changes by a line at a time, and a hundred browsers ask for it: what has not changed
is not rendered again.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import lru_cache

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from networks.choices import ChangeState
from networks.models import Change, Operation

KEPT = 500
"""Cards, of a few kilobytes each."""
FEW = 4
"""In a review of fewer servers their commands are unfolded."""


@dataclass(frozen=True, slots=True)
class _Card:
    """`key` holds all that can change of what the card shows; the rest stays once the plan is made."""

    key: Hashable
    operation: Operation = field(compare=False)
    is_review: bool
    is_open: bool


def card(operation: Operation, change: Change, servers: int) -> SafeString:
    """The card of a server, on a page of so many."""
    is_review = change.state == ChangeState.PLANNED
    last = operation.events[-1] if operation.events else {}
    key = (
        operation.pk,
        operation.server_id,
        operation.server_name,
        operation.state,
        operation.message,
        operation.deadline_at,
        operation.started_at,
        operation.ended_at,
        len(operation.events),
        last.get("at"),
        last.get("text"),
        operation.digest,
        tuple(operation.refusals),
    )
    return _rendered(_Card(key, operation, is_review, is_review and servers < FEW))


@lru_cache(maxsize=KEPT)
def _rendered(one: _Card) -> SafeString:
    context = {"operation": one.operation, "is_review": one.is_review, "is_open": one.is_open}
    return render_to_string("networks/inc/operation.html", context)
