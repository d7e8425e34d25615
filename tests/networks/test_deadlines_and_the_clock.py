"""How long a worker holds a Change and a server waits for it hangs on no clock that people set."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from networks.choices import ChangeState
from networks.engine import lease as leases
from networks.engine import operation as steps
from networks.engine.hosts import BUSY, Reply
from networks.engine.lease import Lease, claim, kept_alive
from networks.host.answers import Answer
from networks.models import Change, Operation
from tests.networks.changes import planned
from tests.networks.conftest import Scene
from tests.set_back import ahead


@pytest.fixture
def change(scene: Scene, operator: Any) -> Change:
    """A Change that waits for a worker."""
    change = planned(operator, servers=(scene.server1,))
    Change.objects.update(state=ChangeState.QUEUED)
    return change


@pytest.mark.django_db(transaction=True)
def test_a_worker_without_its_database_gives_the_change_up_in_time(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(leases, "LEASE_S", 0.3)
    monkeypatch.setattr(leases, "close_old_connections", away)
    with ahead(hours=1):
        lease = claim(change.pk)
        assert lease
        kept = kept_alive(lease)
        kept.__enter__()
        time.sleep(0.1)
    try:
        assert lease.lost.wait(5)
    finally:
        kept.__exit__(None, None, None)


def test_no_server_is_thought_to_wait_longer_than_servers_do(change: Change) -> None:
    with ahead(hours=1):
        until = timezone.now() + timedelta(seconds=50)
    assert steps.seconds_left(Operation(deadline_at=until)) == steps.TIMEOUT_S


@pytest.mark.timeout(20)
def test_a_server_that_never_confirms_is_not_asked_for_an_hour(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(steps, "POLL_S", 0.01)
    with ahead(hours=1):
        operation = Operation(deadline_at=timezone.now())
    busy = Reply(BUSY, Answer({"error": "a transaction is at work"}))
    lease = Lease(change.pk, "me", 1)
    assert steps._asked_until_deadline(lease, operation, lambda: (busy, None), lambda: busy) == (None, None)
