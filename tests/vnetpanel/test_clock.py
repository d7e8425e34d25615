"""After the clock was set back the log says so; while it is right nothing is written."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.module_loading import import_string
from structlog.testing import CapturingLogger

from networks.models import Measurement
from nodes.models import PhysicalServer, ServerGroup
from nodes.sync import LONGEST_WAIT
from tests.set_back import ahead
from trust import throttle
from vnetpanel import clock


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the log was told."""
    logger = CapturingLogger()
    monkeypatch.setattr(clock, "log", logger)
    return logger.calls


@pytest.mark.django_db
def test_it_is_told_once_and_by_how_much_whatever_was_stored_before(warned: list[Any]) -> None:
    group = ServerGroup.objects.create(name="Berlin")
    with ahead(hours=1):
        now = timezone.now()
        PhysicalServer.objects.create(
            name="server1", group=group, address="192.0.2.1", looked_at=now, next_look_at=now + LONGEST_WAIT
        )
        Measurement.objects.create(servers=[])
    clock.bring_back()
    clock.bring_back()
    (call,) = warned
    assert (call.method_name, call.args) == ("warning", ("clock_set_back",))
    assert 3595 <= call.kwargs["at_least_s"] <= 3600


@pytest.mark.django_db
def test_what_clocks_of_two_machines_differ_by_is_let_be(warned: list[Any]) -> None:
    with ahead(seconds=4):
        row = Measurement.objects.create(servers=[])
    clock.bring_back()
    assert Measurement.objects.get().asked_at == row.asked_at and not warned


@pytest.mark.django_db
def test_while_the_clock_is_right_it_reads_once_for_each_kind_of_row_and_writes_nothing(
    warned: list[Any],
) -> None:
    kinds = [times for path in settings.TIMES_COMPARED for times in import_string(path)]
    with CaptureQueriesContext(connection) as queries:
        clock.bring_back()
    assert len(queries) == len(kinds)
    assert all(query["sql"].startswith("SELECT MAX(") for query in queries) and not warned


@pytest.mark.django_db
def test_who_is_locked_out_is_so_no_longer_than_ever() -> None:
    counted = throttle.of_user("code", 1)
    with ahead(hours=1):
        for _ in range(5):
            throttle.failed(counted)
    clock.bring_back()
    assert throttle.is_locked(counted)
    with ahead(minutes=16):
        assert not throttle.is_locked(counted)
