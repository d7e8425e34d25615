"""Who works on a Change: a lease in its row, kept alive by a heartbeat, fenced by a counter.

Claims are compare-and-swap UPDATEs (select_for_update does nothing on SQLite). A worker that lost its lease
learns it at its next write: every write names the fence that it was given.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.db import close_old_connections, connection
from django.db.models import F, Q
from django.utils import timezone

from networks.choices import TERMINAL_CHANGE_STATES, ChangeState
from networks.models import Change
from nodes.together import Together

log = structlog.get_logger(__name__)

GATHER_S = 0.2
"""How long a line of a server's story waits for those of others that are at a step, once it is its turn."""
LEASE_S = 15
HEARTBEAT_S = 5
MAX_ATTEMPTS = 5


class LeaseLost(Exception):
    """Another worker owns the Change now; this one must write nothing more."""


@dataclass
class Lease:
    """The right to work on a Change, as long as its heartbeat goes on."""

    change_id: uuid.UUID
    owner: str
    fence: int
    lost: threading.Event = field(default_factory=threading.Event)
    writes: Together[tuple[uuid.UUID, dict[str, Any]]] = field(default_factory=lambda: Together(GATHER_S))
    """What is written about its operations (networks/engine/story.py)."""

    def check(self) -> None:
        """Raise LeaseLost if another worker has taken over."""
        if self.lost.is_set():
            raise LeaseLost(str(self.change_id))

    def update(self, **columns: Any) -> None:
        """Write columns of the Change and count its version up; LeaseLost if the fence is not ours."""
        self.check()
        written = Change.objects.filter(pk=self.change_id, fence=self.fence).update(
            version=F("version") + 1, **columns
        )
        if written != 1:
            self.lost.set()
            raise LeaseLost(str(self.change_id))


def owner_name() -> str:
    """Host, process and thread: enough to find the worker in its log."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"[:100]


def claim(change_id: uuid.UUID, *, planning: bool = False) -> Lease | None:
    """Take the Change if nobody works on it. None: it is over, somebody does, or it waits for a person.

    `planning`: take it only while it is being planned; otherwise only after a person has applied it.
    """
    reviews = {ChangeState.PLANNING, ChangeState.PLANNED}
    states = {ChangeState.PLANNING} if planning else set(ChangeState) - TERMINAL_CHANGE_STATES - reviews
    now = timezone.now()
    owner = owner_name()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    claimed = Change.objects.filter(free, pk=change_id, state__in=states).update(
        lease_owner=owner,
        lease_until=now + timedelta(seconds=LEASE_S),
        fence=F("fence") + 1,
        attempts=F("attempts") + 1,
        version=F("version") + 1,
    )
    if claimed != 1:
        return None
    # Slept through its own lease, it finds another's by now, or no Change at all.
    fence = Change.objects.filter(pk=change_id, lease_owner=owner).values_list("fence", flat=True).first()
    return None if fence is None else Lease(change_id, owner, fence)


@contextmanager
def kept_alive(lease: Lease) -> Iterator[Lease]:
    """Renew the lease every few seconds until the block ends, then give it back."""
    ended = threading.Event()
    beat = threading.Thread(target=_heartbeat, args=(lease, ended), daemon=True, name="lease-heartbeat")
    beat.start()
    try:
        yield lease
    finally:
        ended.set()
        beat.join(timeout=HEARTBEAT_S)
        Change.objects.filter(pk=lease.change_id, fence=lease.fence).update(lease_until=None)


def _heartbeat(lease: Lease, ended: threading.Event) -> None:
    # Not by the clock: set back, it would let a lease seem to last that another worker holds by now.
    expires = time.monotonic() + LEASE_S
    try:
        while not ended.wait(HEARTBEAT_S):
            try:
                close_old_connections()
                until = timezone.now() + timedelta(seconds=LEASE_S)
                if not Change.objects.filter(pk=lease.change_id, fence=lease.fence).update(lease_until=until):
                    lease.lost.set()
                    return
                expires = time.monotonic() + LEASE_S
            except Exception:  # the database may be away for a moment; the lease says for how long
                log.warning("lease_renewal_failed", change=str(lease.change_id), exc_info=True)
                if time.monotonic() > expires:
                    lease.lost.set()
                    return
    finally:
        connection.close()


def is_poisoned(change: Change) -> bool:
    """True if the Change has been taken up so often that it must wait for a person."""
    return change.attempts > MAX_ATTEMPTS
