"""The story of a Change's servers, as the owner of its lease writes it: columns, and a line for people.

A step goes on only when what it wrote is on disk. The servers of a wave take their steps at the same time, so
what their threads write is stored together, in one transaction that begins with the fence.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from networks.choices import TERMINAL_OPERATION_STATES
from networks.engine.lease import Lease
from networks.models import Change, Operation
from nodes.sync import write_columns

MAX_EVENTS = 60
MAX_EVENT, MAX_MESSAGE = 500, 2000
"""Characters kept of one line of the story, and of a server's own words."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def record(lease: Lease, operation: Operation, text: str = "", **columns: Any) -> None:
    """Write columns of the operation and add a line to its story; LeaseLost if another worker owns it now."""
    lease.check()
    if text:
        line = {"at": timezone.now().isoformat(), "text": plain(text, MAX_EVENT)}
        columns["events"] = [*operation.events[-MAX_EVENTS:], line]
    if "message" in columns:
        columns["message"] = plain(columns["message"], MAX_MESSAGE)
    if columns.get("state") in TERMINAL_OPERATION_STATES:
        columns.setdefault("ended_at", timezone.now())
    lease.writes.write((operation.pk, columns), lambda rows: _store(lease, rows))
    for name, value in columns.items():
        setattr(operation, name, value)


def _store(lease: Lease, rows: list[tuple[uuid.UUID, dict[str, Any]]]) -> None:
    """Write these columns of operations, all or none; LeaseLost if another worker owns the Change."""
    lease.check()
    # Durable: rows of other threads must not hang on what the caller does afterwards.
    with transaction.atomic(durable=True):
        # Written first: until the end of this transaction nobody else can claim the Change.
        mine = Change.objects.filter(pk=lease.change_id, fence=lease.fence)
        if not mine.update(version=F("version") + 1):
            lease.lost.set()
            lease.check()
        alike: dict[tuple[str, ...], list[tuple[uuid.UUID, list[Any]]]] = {}
        for pk, columns in rows:
            if any(hasattr(value, "resolve_expression") for value in columns.values()):
                Operation.objects.filter(pk=pk).update(**columns)
            elif columns:
                names = tuple(sorted(columns))
                alike.setdefault(names, []).append((pk, [columns[name] for name in names]))
        for names, operations in alike.items():
            write_columns(Operation, names, operations)


def plain(text: str, longest: int) -> str:
    """Words that may have come from a server, cut and without control characters (databases refuse NUL)."""
    return _CONTROL.sub(" ", text)[:longest]
