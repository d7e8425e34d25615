"""That one sees another can be meant of servers where no virtual network is: they are looked at too."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from networks import problem_check, tasks
from networks.desired import head
from networks.domain.state import Edit, RemoveMember, Unassign, apply_edits
from networks.engine import planning
from networks.intents import stored
from networks.models import Draft, Measurement, NetworkIntent, StandingProblem
from networks.services import changes, drafts
from networks.services.validate import breached_since
from tests.domain import built, scheme
from tests.networks.changes import decide
from tests.networks.fleet_of_fakes import fake
from tests.seeded import seed

pytestmark = pytest.mark.django_db
EMPTY: tuple[Edit, ...] = (
    RemoveMember(scheme.interface(1, "102")),
    RemoveMember(scheme.interface(1, "103")),
    Unassign(scheme.A, 1),
)
"""No network is left on server1, which stays on the segment of server2."""
CUT: tuple[Edit, ...] = (Unassign(scheme.A, 2),)
"""Containers of A on server2, 201 among them, are off the segment."""


@pytest.fixture
def admin(db: None) -> User:
    """The manual's scheme, applied, but with server1 out of all networks, and nothing measured."""
    seed()
    for model in (Draft, Measurement, StandingProblem):
        model.objects.all().delete()
    decide(*EMPTY)
    NetworkIntent.objects.create(network_id=scheme.A, kind="sees", source="c:2:201", target="s:1")
    return User.objects.get(username="admin")


def standing() -> list[str]:
    return [row.text for row in StandingProblem.objects.open().filter(cause="breach")]


def test_one_that_holds_is_no_problem(admin: User) -> None:
    tasks.check_intents()
    assert standing() == []


def test_one_that_holds_is_no_problem_when_the_rules_are_asked(admin: User) -> None:
    assert [one.text for one in problem_check.of_rules() if one.cause == "breach"] == []


def test_one_that_does_not_hold_is_told_with_the_servers_name(admin: User) -> None:
    decide(*CUT)
    tasks.check_intents()
    (text,) = standing()
    assert "does not see physical server server1" in text


def test_a_draft_that_cuts_them_apart_is_warned_of(admin: User) -> None:
    now = head().state
    (breach,) = breached_since(now, apply_edits(now, CUT), stored())
    assert not breach.existing and "does not see physical server server1" in breach.text


def test_the_review_has_the_cut_ticked(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    monkeypatch.setattr(planning, "_look", lambda server: built.LOOKS[server.pk])
    drafts.stage(admin, CUT)
    change = changes.start_review(admin)
    planning.plan(change.pk)
    change.refresh_from_db()
    (breach,) = (row for row in change.problems if "In the intent of" in row["text"])
    assert breach["severity"] == "warn" and "server1" in breach["text"]


def test_a_server_that_is_hidden_is_not_named(admin: User, alice: Any) -> None:
    now = head().state
    (breach,) = breached_since(now, apply_edits(now, CUT), stored(), alice)
    assert "server1" not in breach.text


def test_it_takes_no_query_more(admin: User) -> None:
    with CaptureQueriesContext(connection) as with_one:
        list(problem_check.of_rules())
    NetworkIntent.objects.update(target="c:2:202")
    with CaptureQueriesContext(connection) as without:
        list(problem_check.of_rules())
    assert len(with_one) == len(without)
