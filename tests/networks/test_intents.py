"""Intents are judged at the review, right after a Change, and right after servers were asked."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from networks import tasks
from networks.choices import ChangeState, MeasurementState
from networks.domain.state import Assign
from networks.engine import planning
from networks.models import Change, Draft, Measurement, NetworkIntent, StandingProblem
from networks.services import changes, drafts
from networks.services.errors import Conflict
from tests.domain import built
from tests.domain.scheme import B, C
from tests.networks.changes import decide
from tests.networks.fleet_of_fakes import fake
from tests.seeded import seed

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(db: None) -> User:
    """The manual's scheme, applied, and nothing measured yet."""
    seed()
    Draft.objects.all().delete()
    Measurement.objects.all().delete()
    return User.objects.get(username="admin")


def meant(network: str, kind: str, **points: str) -> None:
    NetworkIntent.objects.create(network_id=network, kind=kind, **points)


def breached() -> list[str]:
    return [row.text for row in StandingProblem.objects.open().filter(cause="breach")]


def measured(*cells: tuple[str, str, str, str]) -> Measurement:
    """A measurement that has just ended: (origin, target, layer, answer)."""
    rows = [[a, b, layer, "no", answer] for a, b, layer, answer in cells]
    return Measurement.objects.create(
        servers=[2], cells=rows, state=MeasurementState.DONE, ended_at=timezone.now()
    )


def test_a_review_has_a_breach_ticked(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    monkeypatch.setattr(planning, "_look", lambda server: built.LOOKS[server.pk])
    meant(C, "isolated")
    drafts.stage(admin, [Assign(C, 2, "eth1")])
    change = changes.start_review(admin)
    planning.plan(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.PLANNED
    (breach,) = (row for row in change.problems if "is meant never to reach other hosts" in row["text"])
    assert breach["severity"] == "warn"
    others = {row["key"] for row in change.problems} - {breach["key"]}
    with pytest.raises(Conflict, match="Not ticked: Virtual Network C is meant never to reach other hosts"):
        changes.apply_change(admin, change, others)
    changes.apply_change(admin, change, {*others, breach["key"]})
    change.refresh_from_db()
    assert change.state == ChangeState.QUEUED


def test_a_breach_stands_as_soon_as_a_change_is_done(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    meant(C, "isolated")

    def run(change_id: uuid.UUID) -> None:
        decide(Assign(C, 2, "eth1"))

    monkeypatch.setattr(tasks, "run", run)
    tasks.run_change(str(uuid.uuid4()))
    assert ["Virtual Network C" in text for text in breached()] == [True]


def test_a_breach_that_was_measured_stands_as_soon_as_it_was(admin: User, monkeypatch: Any) -> None:
    meant(C, "isolated")
    monkeypatch.setattr(tasks, "run_measurement", lambda pk: measured(("c:2:203", "o:1", "ip", "yes")))
    tasks.measure(str(uuid.uuid4()))
    assert breached() == [
        "As measured: Virtual Network C is meant never to reach other hosts, but Container 203 (c203) "
        "reaches other hosts. The servers were asked and measured it so."
    ]
    monkeypatch.setattr(tasks, "run_measurement", lambda pk: measured(("c:2:203", "o:1", "ip", "no")))
    tasks.measure(str(uuid.uuid4()))
    assert breached() == []


def test_members_that_were_seen_apart_breach_that_they_see_each_other(admin: User) -> None:
    meant(C, "together")
    meant(B, "sees", source="c:2:202", target="o:1")
    measured(("c:2:204", "c:2:203", "ip", "no"), ("c:2:202", "o:1", "ip", "no"))
    tasks.check_intents()
    assert len(breached()) == 2


def test_no_change_is_needed_for_that_without_an_intent(admin: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        tasks.check_intents()
    assert not Change.objects.filter(state=ChangeState.QUEUED).exists()
