"""What is offered for a breached intent would mend that one, not another intent of the same network."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from networks.domain.state import DescribeNetwork
from networks.models import Draft, NetworkIntent, ProblemCheck, StandingProblem
from networks.problem_check import Found, check
from networks.services.mend import offered
from tests.domain.scheme import B, C
from tests.networks.changes import decide
from tests.seeded import seed

pytestmark = pytest.mark.django_db
BUT_FOR_ADDRESSES = {"source": "c:3:301", "target": "o:1"}
"""Only an address would let 301 see other hosts, and that is nothing for a button."""


@pytest.fixture
def admin(db: None) -> User:
    """The manual's scheme, applied."""
    seed()
    Draft.objects.all().delete()
    return User.objects.get(username="admin")


def breach(**meant: str) -> StandingProblem:
    """The problem that the breach of the intent is, found by a check."""
    NetworkIntent.objects.create(**meant)
    before = set(StandingProblem.objects.values_list("pk", flat=True))
    check()
    return StandingProblem.objects.open().filter(cause="breach").exclude(pk__in=before).get()


def ways(admin: User, problem: StandingProblem) -> list[str]:
    return [one.way.fix.text for one in offered(admin, problem)]


def test_of_two_that_must_see_others_each_is_offered_its_own(admin: User) -> None:
    one = breach(network_id=C, kind="sees", source="c:2:203", target="c:2:202")
    alone = ways(admin, one)
    other = breach(network_id=C, kind="sees", **BUT_FOR_ADDRESSES)
    assert "Move eth0 of Container 202 (c202) on physical server server2 to Virtual Network C" in alone
    assert ways(admin, one) == alone
    assert ways(admin, other) == []


def test_a_colon_in_the_name_of_the_network_mixes_nothing_up(admin: User) -> None:
    decide(DescribeNetwork(B, "B: the office"))
    isolated = breach(network_id=B, kind="isolated")
    sees = breach(network_id=B, kind="sees", **BUT_FOR_ADDRESSES)
    assert any("out of Virtual Network B: the office" in way for way in ways(admin, isolated))
    assert ways(admin, sees) == []


def test_one_that_was_taken_back_is_offered_nothing(admin: User) -> None:
    problem = breach(network_id=B, kind="isolated")
    NetworkIntent.objects.all().delete()
    assert ways(admin, problem) == []


def test_a_breach_that_stood_before_its_intent_was_kept_with_it_stays_the_same_one(admin: User) -> None:
    """Or an acknowledgement would end with the panel's update."""
    first = breach(network_id=B, kind="isolated")
    subjects = [subject for subject in first.subjects if subject["kind"] != "intent"]
    StandingProblem.objects.filter(pk=first.pk).update(subjects=subjects, acknowledged_at=timezone.now())
    ProblemCheck.objects.update(version="of the former program")
    check()
    again = StandingProblem.objects.open().get(cause="breach")
    assert again.pk == first.pk and again.acknowledged_at is not None
    assert ways(admin, again)

    def key(*subjects: dict[str, Any]) -> str:
        return Found("breach", "refuse", "x", subjects=subjects).key

    assert key(*subjects) == key(*first.subjects)
