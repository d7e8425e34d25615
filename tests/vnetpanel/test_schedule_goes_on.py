"""After the clock was set back the scheduler goes on; a sign of life from the future says nothing."""

from __future__ import annotations

import time

import pytest
from celery import Celery

from tests.set_back import ahead
from vnetpanel import health
from vnetpanel.beat import HeartbeatScheduler


def test_the_schedule_goes_on() -> None:
    app = Celery("try", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {"often": {"task": "of.nobody", "schedule": 10.0}}
    with ahead(hours=1):
        scheduler = HeartbeatScheduler(app)
        scheduler.tick()
    scheduler.tick()
    assert runs(scheduler) == 0
    with ahead(seconds=11):
        scheduler.tick()
    assert runs(scheduler) == 1
    with ahead(seconds=15):
        scheduler.tick()
    assert runs(scheduler) == 1, "no oftener than ever"


def runs(scheduler: HeartbeatScheduler) -> int:
    return sum(entry.total_run_count for entry in scheduler.schedule.values())


@pytest.mark.parametrize("age_s", [0, 20, -20])
def test_a_scheduler_that_was_seen_lately_is_well(age_s: int) -> None:
    assert health.last_seen(time.time() - age_s) == f"seen {max(age_s, 0)} s ago"


@pytest.mark.parametrize(
    ("age_s", "why"), [(40, "last seen 40 s ago"), (-3600, "before the clock was set back")]
)
def test_one_that_was_not_or_cannot_have_been_is_not(age_s: int, why: str) -> None:
    with pytest.raises(RuntimeError, match=why):
        health.last_seen(time.time() - age_s)
