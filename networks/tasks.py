"""Entries of the worker: thin, and given primary keys only. The rows say what to do."""

from __future__ import annotations

import uuid

from celery import shared_task

from networks.engine.measuring import run_measurement
from networks.engine.planning import plan
from networks.engine.runner import run_change as run
from networks.engine.sweeper import sweep as sweep_up
from networks.problem_check import check, check_intents
from networks.services.measure import measure_after, sweep_measurements


@shared_task(name="networks.plan_change")
def plan_change(change_id: str) -> None:
    """Plan a Change for its review."""
    plan(uuid.UUID(change_id))


@shared_task(name="networks.run_change")
def run_change(change_id: str) -> None:
    """Apply a Change, or go on with one whose worker died."""
    run(uuid.UUID(change_id))
    measure_after(uuid.UUID(change_id))
    check_intents()


@shared_task(name="networks.measure")
def measure(measurement_id: str) -> None:
    """Ask the servers of a measurement who answers whom, and store what they say."""
    run_measurement(uuid.UUID(measurement_id))
    check_intents()


@shared_task(name="networks.sweep")
def sweep() -> None:
    """Send again what the broker lost, and settle what servers left open; the same for measurements."""
    sweep_up()
    sweep_measurements()


@shared_task(name="networks.check_problems")
def check_problems() -> None:
    """Find what is wrong anywhere and store it for the Problems page."""
    check()
