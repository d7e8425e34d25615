"""A server group moved and renamed in one form: both are stored or neither."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from nodes.models import ServerGroup
from tests.networks.conftest import Scene
from trust.models import Entry


@pytest.fixture
def east(scene: Scene) -> ServerGroup:
    return ServerGroup.objects.create(name="East", description="Rack 1 to 9")


def send(client: Client, group: ServerGroup, name: str, parent: ServerGroup) -> Any:
    body = {"name": name, "description": "changed", "parent": parent.pk}
    return client.post(reverse("nodes:edit_group", args=[group.pk]), body)


def test_a_refused_name_leaves_the_group_where_it_was(
    scene: Scene, east: ServerGroup, as_admin: Client
) -> None:
    ServerGroup.objects.create(name="West", parent=scene.group)
    before = Entry.objects.count()
    answer = send(as_admin, east, "West", scene.group)
    assert f"There is a server group named &quot;West&quot; in {scene.group} already" in answer.text
    stored = ServerGroup.objects.get(pk=east.pk)
    assert (stored.name, stored.description, stored.parent) == ("East", "Rack 1 to 9", None)
    assert stored.path == f"/{east.pk}/"
    assert Entry.objects.count() == before
    assert "Edit East" in answer.text


def test_its_old_name_may_be_taken_where_it_goes(scene: Scene, east: ServerGroup, as_admin: Client) -> None:
    ServerGroup.objects.create(name="East", parent=scene.group)
    assert send(as_admin, east, "Far East", scene.group).status_code == 302
    stored = ServerGroup.objects.get(pk=east.pk)
    assert (stored.name, stored.parent) == ("Far East", scene.group)


def test_its_new_name_may_be_taken_where_it_was(scene: Scene, east: ServerGroup, as_admin: Client) -> None:
    ServerGroup.objects.create(name="West")
    assert send(as_admin, east, "West", scene.group).status_code == 302
    stored = ServerGroup.objects.get(pk=east.pk)
    assert (stored.name, stored.parent) == ("West", scene.group)
