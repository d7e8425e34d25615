"""Many workers at once, with real transactions: one claims a Change, decisions follow one another.

Run on SQLite with the suite and on PostgreSQL by `make test-postgresql`.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connections

from networks.choices import ChangeState
from networks.desired import head
from networks.domain.state import Assign, CreateNetwork
from networks.engine import applying, runner
from networks.engine.decide import DecisionRefused, decide
from networks.engine.lease import claim
from networks.models import Change, Revision
from networks.services import changes
from networks.services.errors import Conflict
from nodes import tasks
from nodes.models import PhysicalServer
from tests.networks.changes import decide as decided
from tests.networks.changes import planned
from tests.networks.conftest import Scene
from tests.networks.fleet_of_fakes import fake
from trust import chain
from trust.audit import line_of, record
from trust.models import Entry

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 8


def together(*work: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment; what each returned or raised."""
    start = threading.Barrier(len(work))

    def run(one: Callable[[], Any]) -> Any:
        try:
            start.wait(30)
            return one()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(work)) as threads:
        return list(threads.map(run, work))


def queued(user: Any, name: str) -> Change:
    change = planned(user, CreateNetwork(str(uuid.uuid4()), name))
    Change.objects.filter(pk=change.pk).update(state=ChangeState.QUEUED)
    change.refresh_from_db()
    return change


def test_one_worker_claims_a_change(admin: Any) -> None:
    change = queued(admin, "A")
    leases = together(*[lambda: claim(change.pk)] * THREADS)
    assert sum(lease is not None for lease in leases) == 1
    change.refresh_from_db()
    assert (change.fence, change.attempts) == (1, 1)


def test_decisions_at_once_follow_one_another(admin: Any) -> None:
    ready = [(claim(one.pk), one) for one in (queued(admin, f"N{number}") for number in range(THREADS))]
    results = together(*[lambda pair=pair: decide(*pair) for pair in ready])
    # Under contention one may be refused after its tries, but never half.
    assert all(result is None or isinstance(result, DecisionRefused) for result in results), results
    decided = set(Change.objects.exclude(decided_at=None).values_list("pk", flat=True))
    assert len(decided) == sum(result is None for result in results) > 0
    numbers = sorted(Revision.objects.filter(change__in=decided).values_list("number", flat=True))
    assert numbers == list(range(1, len(decided) + 1))
    newest = head()
    assert newest.number == len(decided)
    assert len(newest.state.networks) == len(decided)
    assert Entry.objects.filter(action="change.decided").count() == len(decided)


def test_two_decisions_for_one_name_leave_one(admin: Any) -> None:
    ready = [(claim(one.pk), one) for one in (queued(admin, "Same"), queued(admin, "Same"))]
    results = together(*[lambda pair=pair: decide(*pair) for pair in ready])
    assert sorted(type(result).__name__ for result in results) == ["DecisionRefused", "NoneType"]
    assert [network.name for network in head().state.networks] == ["Same"]


def test_a_click_that_comes_twice_applies_once(scene: Scene, operator: Any) -> None:
    change = planned(operator, servers=(scene.server1,))
    same = [Change.objects.get(pk=change.pk) for _ in range(4)]
    results = together(*[lambda one=one: changes.apply_change(operator, one, ()) for one in same])
    assert sorted(type(result).__name__ for result in results) == ["Change", *["Conflict"] * 3], results
    assert Entry.objects.filter(action="change.applied").count() == 1


def test_two_changes_of_one_server_do_not_both_begin(scene: Scene, operator: Any) -> None:
    both = [
        planned(operator, CreateNetwork(str(uuid.uuid4()), name), servers=(scene.server1,)) for name in "AB"
    ]
    results = together(*[lambda one=one: changes.apply_change(operator, one, ()) for one in both])
    assert sorted(type(result).__name__ for result in results) == ["Change", "Conflict"], results
    assert isinstance(next(one for one in results if not isinstance(one, Change)), Conflict)


def test_a_cancel_and_a_decision_at_once_agree(scene: Scene, admin: Any) -> None:
    for number in range(6):
        change = queued(admin, f"Race {number}")
        lease = claim(change.pk)
        assert lease
        mine = Change.objects.get(pk=change.pk)
        results = together(
            lambda lease=lease, mine=mine: decide(lease, mine),
            lambda change=change: changes.cancel_change(admin, change),
        )
        change.refresh_from_db()
        decided, cancelled = (type(result).__name__ for result in results)
        if change.decided_at is None:
            assert (decided, cancelled) == ("Cancelled", "NoneType")
        else:
            assert (decided, cancelled) == ("NoneType", "Conflict")


def test_due_servers_are_given_to_one_caller_each(scene: Scene) -> None:
    taken = together(*[tasks.take_due] * 4)
    pks = [pk for answering, silent in taken for pk in (*answering, *silent)]
    assert sorted(pks) == sorted(PhysicalServer.objects.filter(os="linux").values_list("pk", flat=True))


def test_lines_of_the_trail_written_at_once_are_one_chain() -> None:
    results = together(*[lambda: [record("x.done", "Done.") for _ in range(10)]] * THREADS)
    assert not [one for one in results if isinstance(one, Exception)], results
    rows = list(Entry.objects.order_by("number"))
    assert [row.number for row in rows] == list(range(1, 10 * THREADS + 1))
    assert list(chain.faults((line_of(row), row.digest) for row in rows)) == []


@pytest.mark.parametrize("is_under_way", [True, False])
def test_a_server_alone_commits_nothing_that_another_change_may_forbid(
    scene: Scene, operator: Any, monkeypatch: pytest.MonkeyPatch, is_under_way: bool
) -> None:
    """Another takes the name while the server works: what it was told is taken back, not found committed.

    Also one that asks no server, and so is decided within the request that applies it.
    """
    other = planned(operator, CreateNetwork("6f1c3a1e-0000-4000-8000-000000000002", "A"))
    mine = planned(operator, servers=(scene.server1,))
    if is_under_way:
        Change.objects.filter(pk=other.pk).update(state=ChangeState.QUEUED)
    changes.apply_change(operator, mine, ())
    assert applying._holds(mine.operations.get())
    fakes = fake(monkeypatch)
    fakes.before["server1", "apply"] = lambda: take_the_name(operator, other)
    runner.run_change(mine.pk)
    mine.refresh_from_db()
    assert mine.state == ChangeState.FAILED and "name" in mine.result
    assert fakes.states[mine.operations.get().pk] == "rolledback"
    assert [network.id for network in head().state.networks] == ["6f1c3a1e-0000-4000-8000-000000000002"]


def take_the_name(operator: Any, change: Change) -> None:
    change.refresh_from_db()
    if change.state == ChangeState.PLANNED:
        changes.apply_change(operator, change, ())
    else:
        lease = claim(change.pk)
        assert lease
        decide(lease, change)


def test_nothing_is_decided_between_the_check_of_a_review_and_its_claim(
    scene: Scene, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch)
    monkeypatch.setattr(changes, "send", lambda *args: None)
    network = str(uuid.uuid4())
    decided(CreateNetwork(network, "A"))
    first, second = (
        planned(operator, Assign(network, server.pk, "eth0"), servers=(server,))
        for server in (scene.server1, scene.server2)
    )
    changes.apply_change(operator, first, ())
    checked, was_decided, real = threading.Event(), threading.Event(), changes.queue_reviewed

    def later(*args: Any) -> None:
        checked.set()
        was_decided.wait(3)
        real(*args)

    def run() -> None:
        checked.wait(10)
        runner.run_change(first.pk)
        was_decided.set()

    monkeypatch.setattr(changes, "queue_reviewed", later)
    applied, _ = together(lambda: changes.apply_change(operator, second, ()), run)
    assert isinstance(applied, Conflict)
    assert [one.network for one in head().state.assignments] == [network]


def test_of_two_reviews_that_touch_one_network_one_is_applied(
    scene: Scene, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "send", lambda *args: None)
    network = str(uuid.uuid4())
    decided(CreateNetwork(network, "A"))
    for _ in range(5):
        both = [
            planned(operator, Assign(network, server.pk, "eth0"), servers=(server,))
            for server in (scene.server1, scene.server2)
        ]
        found = together(*(partial(changes.apply_change, operator, one, ()) for one in both))
        assert sum(isinstance(one, Conflict) for one in found) == 1
        Change.objects.all().delete()
