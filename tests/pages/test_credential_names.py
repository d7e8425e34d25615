"""What a login is called is known to the admins of its group, and to nobody else who sees the server."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from nodes.choices import Role
from nodes.models import Credential, PhysicalServer, ServerGroup
from tests.networks.conftest import Scene, with_role
from tests.pages.conftest import logged_in

pytestmark = pytest.mark.django_db
NAME = "key of the north hall"


@pytest.fixture
def login(scene: Scene) -> Credential:
    """A login of Lab, with which the panel gets into a server of a group inside."""
    login = Credential.objects.create(name=NAME, username="keeper", group=scene.group)
    inner = ServerGroup.objects.create(name="Inner", parent=scene.group)
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(credential=login, group=inner)
    return login


def user_of(users: Any, scene: Scene, who: str) -> Any:
    if who == "superuser":
        return users.objects.create_superuser("root", password="x")
    place = ServerGroup.objects.get(name="Inner") if who.endswith("inside") else scene.group
    return with_role(users, "user", place, Role(who.split()[0]))


@pytest.mark.parametrize(
    ("who", "knows"),
    [
        ("viewer", False),
        ("operator", False),
        ("admin inside", False),
        ("admin", True),
        ("superuser", True),
    ],
)
def test_the_name_is_told_to_admins_of_its_group(
    who: str, knows: bool, login: Credential, scene: Scene, django_user_model: Any
) -> None:
    client = logged_in(user_of(django_user_model, scene, who))
    for page in ("nodes:server", "nodes:edit_server", "nodes:preflight", "nodes:host_key"):
        text = client.get(reverse(page, args=[scene.server1.pk])).text
        assert (NAME in text) is (knows and page in ("nodes:server", "nodes:edit_server")), page
    # That the panel gets in as somebody who may run anything is no secret: see SECURITY.md.
    assert "keeper, who may run anything" in client.get(reverse("nodes:server", args=[scene.server1.pk])).text


def test_who_does_not_know_it_keeps_it_when_she_stores_the_rest(
    login: Credential, scene: Scene, django_user_model: Any
) -> None:
    client = logged_in(user_of(django_user_model, scene, "admin inside"))
    page = reverse("nodes:edit_server", args=[scene.server1.pk])
    text = client.get(page).text
    assert f'<option value="{login.pk}" selected>The login that it has</option>' in text
    body = {
        "name": "renamed", "group": ServerGroup.objects.get(name="Inner").pk, "address": "10.77.0.11",
        "port": 22, "credential": login.pk, "initial-credential": login.pk, "is_enabled": "on",
    }  # fmt: skip
    assert client.post(page, body).status_code == 302
    server = PhysicalServer.objects.get(pk=scene.server1.pk)
    assert (server.name, server.credential) == ("renamed", login)


def test_the_group_above_is_neither_named_nor_linked_to_who_may_not_see_it(
    login: Credential, scene: Scene, django_user_model: Any
) -> None:
    """Found in review: the way up led to a page that was not there for her."""
    inner = ServerGroup.objects.get(name="Inner")
    inside = logged_in(user_of(django_user_model, scene, "admin inside"))
    above = reverse("nodes:group", args=[scene.group.pk])
    for page in ("nodes:group", "nodes:group_servers", "nodes:edit_group", "networks:group_networks"):
        text = inside.get(reverse(page, args=[inner.pk])).text
        assert above not in text and "Lab" not in text, page
    assert "The group that it is in" in inside.get(reverse("nodes:edit_group", args=[inner.pk])).text
    viewer = logged_in(with_role(django_user_model, "vera", scene.group, Role.VIEWER))
    assert above in viewer.get(reverse("nodes:group", args=[inner.pk])).text
    empty = ServerGroup.objects.create(name="Empty", parent=inner)
    assert inside.post(reverse("nodes:remove_group", args=[empty.pk]))["Location"].endswith(f"/{inner.pk}/")
    PhysicalServer.objects.filter(group=inner).update(group=scene.group)
    assert inside.post(reverse("nodes:remove_group", args=[inner.pk]))["Location"] == reverse("home")
