"""Server groups and servers from their pages: made, renamed, moved, removed, and refused with the reason."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from networks.domain.state import Assign, CreateNetwork
from nodes.models import PhysicalServer, ServerGroup
from tests.networks.changes import decide
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"


def test_a_group_is_made_renamed_moved_and_removed(scene: Scene, as_admin: Client) -> None:
    as_admin.post(reverse("nodes:create_group"), {"name": "East", "description": "Rack 1 to 9"})
    east = ServerGroup.objects.get(name="East")
    assert "Rack 1 to 9" in as_admin.get(reverse("nodes:group", args=[east.pk])).text
    address = reverse("nodes:edit_group", args=[east.pk])
    as_admin.post(address, {"name": "Far East", "parent": scene.group.pk})
    east.refresh_from_db()
    assert (east.name, east.parent) == ("Far East", scene.group)
    assert "Far East" in as_admin.get(reverse("nodes:group", args=[scene.group.pk])).text
    as_admin.post(reverse("nodes:remove_group", args=[east.pk]))
    assert not ServerGroup.objects.filter(pk=east.pk).exists()


def test_a_group_with_servers_stays_and_says_which(scene: Scene, as_admin: Client) -> None:
    response = as_admin.post(reverse("nodes:remove_group", args=[scene.group.pk]))
    assert "in use" in response.text and "server1" in response.text
    assert ServerGroup.objects.filter(pk=scene.group.pk).exists()


def test_a_group_does_not_go_into_itself(scene: Scene, as_admin: Client) -> None:
    inside = ServerGroup.objects.create(name="Inside", parent=scene.group)
    address = reverse("nodes:edit_group", args=[scene.group.pk])
    response = as_admin.post(address, {"name": "Lab", "parent": inside.pk})
    assert response.status_code == 200 and "valid choice" in response.text


def test_a_server_is_renamed_and_moved_with_what_is_on_it(scene: Scene, as_admin: Client) -> None:
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"))
    west = ServerGroup.objects.create(name="West")
    server = scene.server1
    data = {"name": "node1", "group": west.pk, "address": server.address, "port": 22, "is_enabled": "on"}
    response = as_admin.post(reverse("nodes:edit_server", args=[server.pk]), data)
    assert response.status_code == 302
    server.refresh_from_db()
    assert (server.name, server.group) == ("node1", west)
    assert "node1" in as_admin.get(reverse("nodes:group_servers", args=[west.pk])).text
    assert "node1: eth0" in as_admin.get(reverse("networks:list")).text


def test_a_server_with_a_network_stays_and_says_which(scene: Scene, as_admin: Client, admin: Any) -> None:
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"))
    response = as_admin.post(reverse("nodes:remove_server", args=[scene.server1.pk]), follow=True)
    assert PhysicalServer.objects.filter(pk=scene.server1.pk).exists()
    assert "in use" in response.text and "A on server1" in response.text
