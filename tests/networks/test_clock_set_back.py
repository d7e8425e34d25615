"""What was stored before the panel's clock was set back holds up no Change, measurement or comparison."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from networks.choices import ChangeState, MeasurementState, OperationState
from networks.engine import forward, sweeper
from networks.engine import lease as leases
from networks.engine.behind import LONGEST_WAIT_S
from networks.engine.lease import LEASE_S, claim, kept_alive
from networks.models import Behind, Change, Measurement, Operation
from networks.services import measure
from tests.networks.changes import planned
from tests.networks.conftest import Scene
from tests.networks.test_how_long_measured_breaches_stand import APART, changed, measured, standing
from tests.networks.test_how_long_measured_breaches_stand import admin as told_apart  # noqa: F401
from tests.set_back import ahead
from vnetpanel.clock import bring_back


@pytest.fixture
def change(scene: Scene, operator: Any) -> Change:
    """A Change that waits for a worker."""
    change = planned(operator, servers=(scene.server1,))
    Change.objects.update(state=ChangeState.QUEUED)
    change.operations.update(state=OperationState.QUEUED)
    return change


def lease_of(change: Change) -> timedelta:
    """For how long somebody has the Change yet."""
    change.refresh_from_db()
    assert change.lease_until is not None
    return change.lease_until - timezone.now()


# --- leases ---


def test_a_dead_workers_change_is_taken_over_when_its_lease_would_have_run_out(change: Change) -> None:
    with ahead(hours=1):
        assert claim(change.pk)
    bring_back()
    assert timedelta(seconds=LEASE_S - 1) < lease_of(change) <= timedelta(seconds=LEASE_S)
    assert claim(change.pk) is None
    with ahead(seconds=LEASE_S + 1):
        assert claim(change.pk)


@pytest.mark.django_db(transaction=True)
def test_a_living_workers_change_stays_its_own(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.05)
    with ahead(hours=1):
        lease = claim(change.pk)
    assert lease
    bring_back()
    with kept_alive(lease):
        time.sleep(0.5)
        before = lease_of(change)
        bring_back()
        assert timedelta(seconds=LEASE_S - 2) < before <= timedelta(seconds=LEASE_S)
        assert claim(change.pk) is None
        lease.update(result="still mine")


# --- what the sweeper does when it is time ---


def test_a_change_whose_message_was_lost_is_sent_again(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    monkeypatch.setattr(sweeper, "send", lambda task, pk: sent.append(pk))
    with ahead(hours=1):
        Change.objects.update(sent_at=timezone.now())
    bring_back()
    with ahead(seconds=sweeper.RESEND_AFTER_S + 1):
        sweeper.resend_unowned()
    assert sent == [change.pk]


@pytest.mark.parametrize(
    ("columns", "most_s"),
    [
        ({"state": OperationState.DONE, "must_follow": True}, sweeper.FOLLOW_MAX_S),
        ({"state": OperationState.IN_DOUBT}, sweeper.ASK_MAX_S),
    ],
)
def test_a_server_is_asked_again_at_once(change: Change, columns: dict[str, Any], most_s: int) -> None:
    def next_in(seconds: float) -> None:
        at = timezone.now() + timedelta(seconds=seconds)
        change.operations.update(next_follow_at=at, **columns)

    next_in(most_s)
    right = Operation.objects.get().next_follow_at
    bring_back()
    assert Operation.objects.get().next_follow_at == right
    with ahead(hours=1):
        next_in(most_s)
    bring_back()
    asked_at = Operation.objects.get().next_follow_at
    assert asked_at is not None and asked_at <= timezone.now()


def test_a_server_that_is_behind_is_brought_forward(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "send", lambda task, pk: None)
    with ahead(hours=1):
        now = timezone.now()
        Behind.objects.create(
            server=scene.server1,
            missed=1,
            followed=0,
            since=now,
            next_try_at=now + timedelta(seconds=LONGEST_WAIT_S),
        )
    assert forward.bring_forward_due() == 0
    bring_back()
    assert forward.bring_forward_due() == 1


# --- measurements ---


@pytest.mark.django_db
def test_the_newest_measurement_is_the_one_that_was_asked_for_last() -> None:
    with ahead(hours=1):
        Measurement.objects.create(servers=[1], state=MeasurementState.DONE)
    bring_back()
    newest = Measurement.objects.create(servers=[1], state=MeasurementState.DONE)
    assert measure.last_measurement([1]) == newest


@pytest.mark.django_db
def test_a_measurement_whose_message_was_lost_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr(measure, "send", lambda task, pk: sent.append(pk))
    with ahead(hours=1):
        row = Measurement.objects.create(servers=[1])
    bring_back()
    with ahead(seconds=31):
        measure.resend_waiting()
    row.refresh_from_db()
    assert sent == [row.pk] and row.started_at is None


@pytest.mark.django_db
def test_a_measurement_whose_worker_died_is_ended() -> None:
    with ahead(hours=1):
        row = Measurement.objects.create(
            servers=[1], state=MeasurementState.RUNNING, started_at=timezone.now()
        )
    Measurement.objects.update(asked_at=timezone.now())
    bring_back()
    with ahead(minutes=21):
        assert not measure.is_under_way(Measurement.objects.get())
        measure.end_lost()
    row.refresh_from_db()
    assert row.state == MeasurementState.FAILED


def test_what_was_measured_of_a_server_after_its_change_stands(told_apart: User) -> None:  # noqa: F811
    with ahead(hours=1):
        changed(told_apart, 2)
    bring_back()
    assert not standing(), "it was measured before the change"
    measured(APART)
    assert standing()
    assert measure.measured_cells()[APART[:3]] == "no"


def test_what_was_measured_since_a_change_before_the_clock_was_set_back_stands(
    told_apart: User,  # noqa: F811
) -> None:
    with ahead(hours=1):
        changed(told_apart, 2)
        measured((*APART[:3], "yes"))
    bring_back()
    assert not standing()
    assert measure.measured_cells()[APART[:3]] == "yes"
    with ahead(hours=2):
        assert measure.measured_cells()[APART[:3]] == "yes"


def test_a_change_that_was_not_measured_is_measured_at_once(told_apart: User) -> None:  # noqa: F811
    Measurement.objects.all().delete()
    with ahead(hours=1):
        Change.objects.update(ended_at=timezone.now())
    measure.measure_missed()
    assert Measurement.objects.get().change == Change.objects.get()
