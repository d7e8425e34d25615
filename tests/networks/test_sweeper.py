"""Nothing hangs on a lost message, a dead worker or a server that fell silent."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.engine import sweeper
from networks.engine.lease import MAX_ATTEMPTS
from networks.engine.runner import run_change
from networks.models import Change, Operation
from nodes.models import PhysicalSegment
from tests.networks.changes import planned, was_decided
from tests.networks.conftest import Scene, make_server
from tests.networks.fleet_of_fakes import SILENT, fake

LONG_AGO = timedelta(minutes=5)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Messages that the sweeper would send."""
    messages: list[tuple[str, str]] = []
    monkeypatch.setattr(sweeper, "send", lambda task, pk: messages.append((task, str(pk))))
    return messages


@pytest.fixture
def change(scene: Scene, operator: Any) -> Change:
    change = planned(operator, servers=(scene.server1,), sent_at=timezone.now() - LONG_AGO)
    Change.objects.update(state=ChangeState.QUEUED)
    change.operations.update(state=OperationState.QUEUED)
    return change


def test_a_change_whose_message_was_lost_is_sent_again_once(change: Change, sent: list[Any]) -> None:
    assert sweeper.resend_unowned() == 1
    assert sweeper.resend_unowned() == 0
    assert sent == [("networks.run_change", str(change.pk))]


def test_a_change_that_was_just_sent_is_left_alone(change: Change, sent: list[Any]) -> None:
    Change.objects.update(sent_at=timezone.now())
    assert sweeper.resend_unowned() == 0


def test_a_change_that_somebody_works_on_is_left_alone(change: Change, sent: list[Any]) -> None:
    Change.objects.update(lease_until=timezone.now() + timedelta(seconds=10))
    assert sweeper.resend_unowned() == 0


def test_a_dead_workers_change_is_sent_to_another(change: Change, sent: list[Any]) -> None:
    Change.objects.update(state=ChangeState.APPLYING, lease_until=timezone.now() - timedelta(seconds=1))
    assert sweeper.resend_unowned() == 1


@pytest.mark.parametrize("state", [ChangeState.PLANNED, ChangeState.DONE, ChangeState.FAILED])
def test_what_waits_for_a_person_or_has_ended_is_not_sent(
    change: Change, sent: list[Any], state: ChangeState
) -> None:
    Change.objects.update(state=state)
    assert sweeper.resend_unowned() == 0


def test_a_review_whose_message_was_lost_is_planned_again(change: Change, sent: list[Any]) -> None:
    Change.objects.update(state=ChangeState.PLANNING)
    sweeper.resend_unowned()
    assert sent == [("networks.plan_change", str(change.pk))]


@pytest.mark.parametrize(
    ("said", "decided", "state"),
    [
        ("committed", True, OperationState.DONE),
        ("committed", False, OperationState.NEEDS_ATTENTION),
        ("rolledback", True, OperationState.BEHIND),
        ("rolledback", False, OperationState.ROLLED_BACK),
        ("none", False, OperationState.ROLLED_BACK),
        ("applied", False, OperationState.IN_DOUBT),
    ],
)
def test_a_server_in_doubt_settles_by_what_it_says(
    change: Change, said: str, decided: bool, state: OperationState
) -> None:
    Change.objects.update(state=ChangeState.FAILED)
    if decided:
        was_decided(change)
    change.operations.update(state=OperationState.IN_DOUBT)
    sweeper.settle(Operation.objects.select_related("change").get(), said)
    assert change.operations.get().state == state


@pytest.mark.django_db(transaction=True)
def test_a_change_that_workers_keep_dying_of_waits_for_a_person(change: Change) -> None:
    Change.objects.update(attempts=MAX_ATTEMPTS)
    run_change(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.NEEDS_ATTENTION
    assert "gave up" in change.result
    # Nothing had been sent to the server yet.
    assert change.operations.get().state == OperationState.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_silent_servers_in_doubt_are_asked_at_once_and_after_all_that_needs_no_answer(
    scene: Scene, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = fake(monkeypatch)
    segment = PhysicalSegment.objects.get(is_default=True)
    silent = [make_server(scene.group, segment, f"silent{n}", f"10.78.0.{n + 1}") for n in range(4)]
    change = planned(operator, servers=tuple(silent))
    Change.objects.update(state=ChangeState.FAILED, ended_at=timezone.now())
    change.operations.update(state=OperationState.IN_DOUBT)
    at_once = threading.Barrier(len(silent))
    asked_before: list[int] = []
    for server in silent:
        fakes.faults[server.name, "status"] = SILENT
        fakes.before[server.name, "status"] = lambda: at_once.wait(10)
    for step in ("replay_follows", "go_on_with_planned", "bring_forward_due"):
        monkeypatch.setattr(sweeper, step, lambda: asked_before.append(len(fakes.verbs("status"))))
    sweeper.sweep()
    assert asked_before == [0, 0, 0]
    assert sorted(fakes.verbs("status")) == [server.name for server in silent]
    assert not at_once.broken
    sweeper.sweep()
    assert len(fakes.verbs("status")) == len(silent), "not again before it is time"


@pytest.mark.django_db(transaction=True)
def test_servers_whose_vzctl_has_still_to_follow_are_asked_at_once(
    scene: Scene, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = fake(monkeypatch)
    segment = PhysicalSegment.objects.get(is_default=True)
    servers = [make_server(scene.group, segment, f"slow{n}", f"10.78.0.{n + 1}") for n in range(4)]
    change = planned(operator, servers=tuple(servers))
    to_follow(change)
    at_once = threading.Barrier(len(servers))
    for server in servers:
        fakes.before[server.name, "follow"] = lambda: at_once.wait(10)
    fakes.faults["slow0", "follow"] = SILENT
    sweeper.replay_follows()
    assert sorted(fakes.verbs("follow")) == [server.name for server in servers]
    assert not at_once.broken
    assert change.operations.get(must_follow=True).server_name == "slow0"
    sweeper.replay_follows()
    assert len(fakes.verbs("follow")) == len(servers), "not again before it is time"


@pytest.mark.django_db(transaction=True)
def test_a_server_is_asked_about_one_change_after_the_other(
    scene: Scene, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = fake(monkeypatch)
    for _ in range(2):
        to_follow(planned(operator, servers=(scene.server1,)))
    asked = threading.Lock()

    def alone() -> None:
        assert asked.acquire(blocking=False), "the server would say that it is busy"
        time.sleep(0.2)
        asked.release()

    fakes.before["server1", "follow"] = alone
    sweeper.replay_follows()
    assert fakes.verbs("follow") == ["server1", "server1"]
    assert not Operation.objects.filter(must_follow=True).exists()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL reads a small table without an index")
def test_what_vzctl_has_still_to_do_is_found_without_reading_all_that_was_ever_done(
    change: Change, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1) as queries:
        sweeper.replay_follows()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {queries[0]['sql']}")
        assert "USING INDEX operations_to_follow" in str(cursor.fetchall())


def to_follow(change: Change) -> None:
    """The Change is done, and vzctl has not done all of it on any of its servers."""
    Change.objects.filter(pk=change.pk).update(state=ChangeState.DONE, ended_at=timezone.now())
    change.operations.update(
        state=OperationState.DONE, must_follow=True, next_follow_at=timezone.now() - LONG_AGO
    )
