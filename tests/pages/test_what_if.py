"""What if: asked as people say it, answered for what the user may see, and nothing is done."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from networks.models import Change, Draft
from nodes.choices import Role
from nodes.models import GroupRole, ServerGroup
from tests.pages.conftest import logged_in
from tests.seeded import seed

pytestmark = pytest.mark.django_db
PAGE = "/what-if/"


@pytest.fixture
def client() -> Client:
    """The manual's scheme, applied, and a superuser without a draft."""
    seed()
    Draft.objects.all().delete()
    return logged_in(User.objects.get(username="admin"))


def words(response: Any) -> str:
    """The text of a page, in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def test_without_a_question_it_says_what_can_be_asked(client: Client) -> None:
    assert "Ask before it happens" in words(client.get(PAGE))


def test_it_tells_that_202_depends_on_201(client: Client) -> None:
    page = words(client.get(PAGE, {"add": "201"}))
    assert "Container 201 on server2 stops" in page
    beside = page.partition("What depends on it")[2].partition("What goes with it")[0]
    assert "202" in beside and "no longer see" in beside and "ther hosts" in beside


@pytest.mark.parametrize("state", ["decided", "observed", "draft", "nonsense"])
def test_it_answers_for_every_state(client: Client, state: str) -> None:
    page = words(client.get(PAGE, {"what": "c:2:201", "state": state}))
    assert "202" in page.partition("What depends on it")[2]


def test_an_adapter_and_a_server_can_be_named_too(client: Client) -> None:
    page = words(client.get(PAGE, {"what": "s:3", "add": "eth0.100 on server2"}))
    assert "Physical server server3 is lost" in page
    assert "eth0.100 of server2 loses its cable" in page


def test_what_nothing_depends_on_is_said_so(client: Client) -> None:
    page = words(client.get(PAGE, {"add": "203"}))
    assert "Nobody else gains or loses sight of anybody." in page
    assert "204" in page.partition("What goes with it")[2]


def test_a_name_that_means_nothing_is_told_beside_the_field(client: Client) -> None:
    for text in (
        "no-such-thing",
        "eth7 on server2",
        "a:2:eth7",
        "a:x:y",
        "other hosts",
        "a:" + "9" * 40 + ":x",
    ):
        response = client.get(PAGE, {"add": text})
        assert response.status_code == 200
        assert "is-invalid" in response.content.decode(), text


def test_a_user_asks_only_about_what_she_may_see(client: Client, django_user_model: Any) -> None:
    other = ServerGroup.objects.create(name="Elsewhere")
    user = django_user_model.objects.create_user("ona", password="correct-horse-battery")
    GroupRole.objects.create(user=user, group=other, role=Role.VIEWER)
    stranger = logged_in(user)
    for text in ("201", "c:2:201", "s:2", "a:2:eth0", "server2", "eth0 on server2"):
        page = stranger.get(PAGE, {"what": text}).content.decode()
        assert "is-invalid" in page
        assert "What depends on it" not in page


def test_asking_changes_nothing(client: Client) -> None:
    before = (Change.objects.count(), Draft.objects.count())
    client.get(PAGE, {"what": ["c:2:201", "s:1"]})
    assert (Change.objects.count(), Draft.objects.count()) == before
    assert client.post(PAGE).status_code == 405


def test_the_topology_of_a_container_leads_to_the_question(client: Client) -> None:
    from nodes.models import Container

    container = Container.objects.get(ctid="201")
    page = client.get(reverse("networks:container_topology", args=[container.pk])).content.decode()
    assert f"{PAGE}?what=c%3A{container.server_id}%3A201" in page


def test_a_bare_adapter_name_is_asked_back_with_links(client: Client) -> None:
    text = client.get(reverse("networks:what_if"), {"add": "eth0"}).content.decode()
    assert "“eth0” is a network adapter of physical servers: say of which." in text
    assert 'href="?state=draft&amp;add=eth0%20on%20server2"' in text
