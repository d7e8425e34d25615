"""The intent of a network: said on its page, checked at the review, listed when it is breached."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from networks import problem_check
from networks.domain.state import Assign
from networks.models import Draft, NetworkIntent, StandingProblem
from networks.services import drafts
from nodes.choices import Role
from nodes.models import GroupRole, ServerGroup
from tests.domain.scheme import B, C
from tests.networks.changes import decide
from tests.pages.conftest import logged_in
from tests.seeded import seed
from trust.models import Entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(db: None) -> Client:
    """The manual's scheme, applied, and a superuser without a draft."""
    seed()
    Draft.objects.all().delete()
    return logged_in(User.objects.get(username="admin"))


def member(role: Role, django_user_model: Any) -> Client:
    user = django_user_model.objects.create_user("ona", password="correct-horse-battery")
    GroupRole.objects.create(user=user, group=ServerGroup.objects.get(name="Lab"), role=role)
    return logged_in(user)


def page(network: str) -> str:
    return reverse("networks:intent", args=[network])


def words(response: Any) -> str:
    """The text of a page, in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def test_nothing_said_yet_is_an_invitation(client: Client) -> None:
    assert "Say what must stay true of this network" in words(client.get(page(C)))


def test_an_intent_that_holds_is_shown_as_such(client: Client) -> None:
    response = client.post(page(C), {"kind": "isolated"}, follow=True)
    text = response.content.decode()
    assert "Never reaches other hosts" in text
    assert 'title="Does not hold"' not in text and "Does not hold" not in text
    assert Entry.objects.get(action="intent.added").text == "C is meant: Never reaches other hosts"
    assert problem_check.check() == StandingProblem.objects.open().exclude(cause="breach").count()


def test_a_breach_is_shown_with_its_reason_and_listed_with_the_problems(client: Client) -> None:
    text = words(client.post(page(B), {"kind": "isolated"}, follow=True))
    assert "is meant never to reach other hosts, but" in text
    problem_check.check()
    problem = StandingProblem.objects.open().get(cause="breach")
    assert "202" in problem.text
    listed = client.get(reverse("networks:problems")).content.decode()
    assert "Intent breached" in listed
    assert page(B) in listed


def test_a_draft_that_breaches_an_intent_is_warned_of_it(client: Client) -> None:
    client.post(page(C), {"kind": "isolated"})
    drafts.stage(User.objects.get(username="admin"), [Assign(C, 2, "eth1")])
    assert "Virtual Network C is meant never to reach other hosts" in words(
        client.get(reverse("networks:draft"))
    )


def test_a_breach_that_is_decided_stands_until_it_is_mended(client: Client) -> None:
    client.post(page(C), {"kind": "isolated"})
    decide(Assign(C, 2, "eth1"))
    problem_check.check()
    assert StandingProblem.objects.open().filter(cause="breach").exists()
    decide(Assign(C, 2, None))
    problem_check.check()
    assert not StandingProblem.objects.open().filter(cause="breach").exists()


def test_one_that_must_see_another_is_named_as_people_say_it(client: Client) -> None:
    wrong = client.post(page(B), {"kind": "sees", "source": "no such", "target": "other hosts"})
    assert wrong.status_code == 422
    assert "no such" in words(wrong)
    client.post(page(B), {"kind": "sees", "source": "202", "target": "other hosts"})
    row = NetworkIntent.objects.get()
    assert (row.source, row.target[:2]) == ("c:2:202", "o:")
    again = client.post(page(B), {"kind": "sees", "source": "202 on server2", "target": "other hosts"})
    assert "This is meant already." in words(again)
    same = client.post(page(B), {"kind": "sees", "source": "202", "target": "202"})
    assert "Name two different ones." in words(same)


def test_it_is_taken_back(client: Client) -> None:
    client.post(page(C), {"kind": "isolated"})
    row = NetworkIntent.objects.get()
    client.post(reverse("networks:remove_intent", args=[C, row.pk]))
    assert not NetworkIntent.objects.exists()
    assert Entry.objects.filter(action="intent.removed").exists()


def test_a_viewer_sees_it_and_changes_nothing(client: Client, django_user_model: Any) -> None:
    client.post(page(C), {"kind": "isolated"})
    viewer = member(Role.VIEWER, django_user_model)
    text = viewer.get(page(C)).content.decode()
    assert "Never reaches other hosts" in text and "Take back" not in text
    assert viewer.post(page(C), {"kind": "together"}).status_code == 403
    row = NetworkIntent.objects.get()
    assert viewer.post(reverse("networks:remove_intent", args=[C, row.pk])).status_code == 403
    assert NetworkIntent.objects.count() == 1


def test_an_intent_of_another_network_is_not_removed_here(client: Client) -> None:
    client.post(page(C), {"kind": "isolated"})
    row = NetworkIntent.objects.get()
    assert client.post(reverse("networks:remove_intent", args=[B, row.pk])).status_code == 404


def test_nonsense_is_refused(client: Client) -> None:
    for posted in ({}, {"kind": "x"}, {"kind": "sees"}, {"kind": "sees", "source": f"s:{'9' * 40}"}):
        assert client.post(page(C), posted).status_code == 422
    assert not NetworkIntent.objects.exists()
