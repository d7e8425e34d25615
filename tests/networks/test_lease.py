"""One worker at a time owns a Change; one that lost it writes nothing more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from networks.choices import ChangeState
from networks.engine.lease import LeaseLost, claim
from networks.engine.story import record
from networks.models import Change
from tests.networks.changes import planned
from tests.networks.conftest import Scene


@pytest.fixture
def change(scene: Scene, operator: Any) -> Change:
    change = planned(operator, servers=(scene.server1,))
    Change.objects.filter(pk=change.pk).update(state=ChangeState.QUEUED)
    return change


def test_one_worker_claims_it_and_another_does_not(change: Change) -> None:
    assert claim(change.pk) is not None
    assert claim(change.pk) is None


def test_a_lease_that_ran_out_is_claimed_by_another(change: Change) -> None:
    first = claim(change.pk)
    Change.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    second = claim(change.pk)
    assert first and second and second.fence == first.fence + 1


def test_a_worker_that_lost_its_lease_writes_nothing(change: Change) -> None:
    first = claim(change.pk)
    Change.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    claim(change.pk)
    assert first
    with pytest.raises(LeaseLost):
        record(first, change.operations.get(), "too late", message="too late")
    assert change.operations.get().message == ""
    with pytest.raises(LeaseLost):
        first.update(state=ChangeState.DONE)
    with pytest.raises(LeaseLost):
        record(first, change.operations.get(), "too late")
    change.refresh_from_db()
    assert change.state == ChangeState.QUEUED


@pytest.mark.parametrize("is_removed", [True, False])
def test_a_worker_that_sleeps_while_it_claims_finds_that_another_did(
    change: Change, is_removed: bool
) -> None:
    """Between writing its name and reading the number it was given: others go on, or discard the Change."""

    def slept(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if sql.startswith("UPDATE") and not others:
            others.append("another")
            if is_removed:
                Change.objects.all().delete()
            else:
                Change.objects.update(lease_owner="another", fence=7)
        return result

    others: list[str] = []
    with connection.execute_wrapper(slept):
        assert claim(change.pk) is None
    assert others


def test_an_ended_change_is_not_claimed(change: Change) -> None:
    Change.objects.update(state=ChangeState.FAILED)
    assert claim(change.pk) is None
