"""The database breaks connections while workers decide: no decision is lost, none is made twice."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import uuid
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, connection, connections

from networks.choices import ChangeState
from networks.desired import head
from networks.domain.state import CreateNetwork
from networks.engine.decide import DecisionRefused, decide
from networks.engine.lease import LeaseLost, claim
from networks.models import Change, Decision, Revision
from tests.networks.changes import planned
from trust import chain
from trust.audit import line_of
from trust.models import Entry

pytestmark = pytest.mark.django_db(transaction=True)
CHANGES, WORKERS, BREAKS = 12, 4, 25
BROKEN = (DatabaseError, InterfaceError)


def work_on(left: list[uuid.UUID]) -> None:
    """As workers that are started again: take what is left until nothing is."""
    while True:
        try:
            open_ones = Change.objects.filter(pk__in=left, decided_at=None).values_list("pk", flat=True)
            if not (pks := list(open_ones)):
                return
            pk = random.choice(pks)  # noqa: S311
            Change.objects.filter(pk=pk, decided_at=None).update(lease_until=None)
            if lease := claim(pk):
                decide(lease, Change.objects.get(pk=pk))
        except (*BROKEN, LeaseLost, DecisionRefused, Change.DoesNotExist):
            with contextlib.suppress(*BROKEN):
                connection.close()


def break_connections(ended: threading.Event) -> None:
    for _ in range(BREAKS):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        if ended.wait(random.uniform(0.01, 0.08)):  # noqa: S311
            return


def test_no_decision_is_lost_or_doubled(admin: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connections that could break; see make test-postgresql")
    left = [planned(admin, CreateNetwork(str(uuid.uuid4()), f"N{number}")).pk for number in range(CHANGES)]
    Change.objects.update(state=ChangeState.QUEUED)
    connection.close()
    ended = threading.Event()

    def closing(work: Any, *arguments: Any) -> None:
        try:
            work(*arguments)
        finally:
            connections.close_all()

    breaker = threading.Thread(target=closing, args=(break_connections, ended))
    workers = [threading.Thread(target=closing, args=(work_on, left)) for _ in range(WORKERS)]
    for thread in (breaker, *workers):
        thread.start()
    until = time.monotonic() + 120
    for thread in workers:
        thread.join(max(0.1, until - time.monotonic()))
    ended.set()
    breaker.join(10)
    assert not [thread for thread in workers if thread.is_alive()]

    assert set(Change.objects.exclude(decided_at=None).values_list("pk", flat=True)) == set(left)
    assert Decision.objects.count() == CHANGES
    assert sorted(Revision.objects.values_list("number", flat=True)) == list(range(1, CHANGES + 1))
    assert len(head().state.networks) == CHANGES
    rows = Entry.objects.order_by("number")
    assert list(chain.faults((line_of(row), row.digest) for row in rows)) == []
    assert Entry.objects.filter(action="change.decided").count() == CHANGES
