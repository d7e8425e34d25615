"""Adding a server: its form, its login, and what the pages on the way tell the person to do."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from nodes.choices import HostKeyState, ServerState
from nodes.models import Credential, HostKey, PhysicalServer
from tests.networks.conftest import Scene


@pytest.fixture
def wanted(scene: Scene) -> dict[str, Any]:
    return {
        "name": "new1",
        "group": scene.group.pk,
        "os": "linux",
        "address": "192.0.2.7",
        "port": 22,
        "login": "new_key",
        "username": "root",
    }


def test_a_server_can_be_added_again_after_it_was_removed(as_admin: Client, wanted: dict[str, Any]) -> None:
    for number in (1, 2):
        response = as_admin.post(reverse("nodes:add_server"), wanted)
        assert response.status_code == 302, response.text
        PhysicalServer.objects.get(name="new1").delete()
        assert Credential.objects.count() == number
    assert set(Credential.objects.values_list("name", flat=True)) == {"root on new1", "root on new1 (2)"}


def test_a_long_name_leaves_room_for_the_name_of_its_login(as_admin: Client, wanted: dict[str, Any]) -> None:
    response = as_admin.post(reverse("nodes:add_server"), wanted | {"name": "n" * 100})
    assert response.status_code == 302, response.text


def test_what_the_chosen_login_lacks_is_said_beside_its_field(
    as_admin: Client, wanted: dict[str, Any]
) -> None:
    for login, field in (("existing", "credential"), ("key", "private_key"), ("password", "password")):
        response = as_admin.post(reverse("nodes:add_server"), wanted | {"login": login})
        assert f'id="id_{field}_error"' in response.text
    assert not PhysicalServer.objects.filter(name="new1").exists()


def test_the_public_half_of_the_panels_key_is_shown_until_the_login_works(
    as_admin: Client, wanted: dict[str, Any]
) -> None:
    as_admin.post(reverse("nodes:add_server"), wanted)
    server = PhysicalServer.objects.get(name="new1")
    assert server.credential
    line = server.credential.public_key
    assert line.startswith("ssh-ed25519 ")
    HostKey.objects.create(server=server, key_type="ssh-ed25519", base64="AAAA", sha256="SHA256:x")
    assert line in as_admin.get(reverse("nodes:host_key", args=[server.pk])).text
    HostKey.objects.update(state=HostKeyState.PINNED)
    PhysicalServer.objects.filter(pk=server.pk).update(state=ServerState.LOGIN_REFUSED)
    preflight = as_admin.get(reverse("nodes:preflight", args=[server.pk])).text
    assert line in preflight
    assert reverse("nodes:look", args=[server.pk]) in preflight
    PhysicalServer.objects.filter(pk=server.pk).update(state=ServerState.OK)
    assert line not in as_admin.get(reverse("nodes:preflight", args=[server.pk])).text


def test_a_viewer_is_shown_no_key_to_install(as_viewer: Client, admin: Any, scene: Scene) -> None:
    scene.server1.credential = Credential.objects.create(
        name="x", username="root", public_key="ssh-ed25519 AAAAonly"
    )
    scene.server1.state = ServerState.LOGIN_REFUSED
    scene.server1.save()
    assert "AAAAonly" not in as_viewer.get(reverse("nodes:preflight", args=[scene.server1.pk])).text
