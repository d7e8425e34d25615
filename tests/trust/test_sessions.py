"""Idle sessions end; what gives servers away asks for the password again."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from nodes.choices import HostKeyState
from nodes.models import HostKey, PhysicalServer
from tests.networks.conftest import Scene, scene
from tests.trust.conftest import PASSWORD

__all__ = ["scene"]

pytestmark = pytest.mark.django_db
PROOF_S = 10 * 60 + 1


@pytest.fixture
def as_admin(client: Client, admin: Any) -> Client:
    client.force_login(admin)
    return client


def test_a_session_ends_after_half_an_hour_without_use(as_admin: Client, clock: Any) -> None:
    assert as_admin.get("/").status_code == 200
    clock.shift(30 * 60 + 1)
    assert as_admin.get("/networks/")["Location"] == "/login/?next=/networks/"
    assert "logged out after 30 minutes" in as_admin.get("/login/").text
    assert as_admin.get("/").status_code == 302


def test_use_keeps_it_alive(as_admin: Client, clock: Any) -> None:
    for _ in range(4):
        clock.shift(20 * 60)
        assert as_admin.get("/").status_code == 200


def test_no_login_lasts_longer_than_twelve_hours_however_busy(as_admin: Client, clock: Any) -> None:
    for _ in range(12 * 3):
        clock.shift(20 * 60 - 1)
        assert as_admin.get("/").status_code == 200
    clock.shift(60)
    assert as_admin.get("/networks/")["Location"] == "/login/?next=/networks/"
    assert "a login lasts 12 hours" in as_admin.get("/login/").text


def test_nor_does_one_from_before_that_was_counted(as_admin: Client, clock: Any) -> None:
    session = as_admin.session
    del session["began"]
    session.save()
    for _ in range(12 * 3):
        assert as_admin.get("/").status_code == 200
        clock.shift(20 * 60)
    clock.shift(1)
    assert as_admin.get("/").status_code == 302


def test_a_page_that_polls_is_no_use(as_admin: Client, clock: Any) -> None:
    as_admin.get("/")
    for _ in range(2):
        clock.shift(14 * 60)
        assert as_admin.get("/health/", headers={"HX-Request": "true"}).status_code == 200
    clock.shift(3 * 60)
    assert as_admin.get("/health/", headers={"HX-Request": "true"})["HX-Redirect"].startswith("/login/")


def guarded(scene: Scene) -> list[str]:
    pk = scene.server1.pk
    return [
        reverse("nodes:add_server"),
        reverse("nodes:remove_server", args=[pk]),
        reverse("admin:nodes_credential_add"),
        reverse("admin:nodes_physicalserver_change", args=[pk]),
        reverse("admin:nodes_physicalserver_delete", args=[pk]),
        reverse("admin:auth_user_add"),
        reverse("admin:nodes_grouprole_add"),
        reverse("two_factor"),
    ]


def test_what_gives_servers_away_asks_for_the_password_again(
    as_admin: Client, scene: Scene, clock: Any
) -> None:
    for address in guarded(scene):
        assert as_admin.get(address).status_code == 200, address
    clock.shift(PROOF_S)
    for address in guarded(scene):
        for method in (as_admin.get, as_admin.post):
            assert method(address)["Location"] == f"/prove/?next={address.replace('/', '%2F')}", address
    assert PhysicalServer.objects.filter(pk=scene.server1.pk).exists()


def test_the_password_opens_it_for_ten_minutes(as_admin: Client, scene: Scene, clock: Any) -> None:
    address = reverse("nodes:remove_server", args=[scene.server1.pk])
    clock.shift(PROOF_S)
    assert "is not your password" in as_admin.post("/prove/", {"password": "wrong", "next": address}).text
    assert as_admin.get(address).status_code == 302
    assert as_admin.post("/prove/", {"password": PASSWORD, "next": address})["Location"] == address
    assert as_admin.get(address).status_code == 200


def test_guessing_it_is_stopped(as_admin: Client, clock: Any) -> None:
    clock.shift(PROOF_S)
    for _ in range(5):
        as_admin.post("/prove/", {"password": "wrong"})
    assert "Too many" in as_admin.post("/prove/", {"password": PASSWORD}).text


def test_it_leads_to_no_foreign_site(as_admin: Client, clock: Any) -> None:
    clock.shift(PROOF_S)
    answer = as_admin.post("/prove/", {"password": PASSWORD, "next": "https://evil.example/"})
    assert answer["Location"] == "/"


@pytest.mark.parametrize("back", ["x", "account", "./x"])
def test_a_way_back_is_an_address_and_no_name(as_admin: Client, clock: Any, back: str) -> None:
    assert as_admin.get("/prove/", {"next": back})["Location"] == back
    clock.shift(PROOF_S)
    assert as_admin.post("/prove/", {"password": PASSWORD, "next": back})["Location"] == back


def test_a_changed_host_key_needs_it_and_a_first_one_does_not(
    as_admin: Client, scene: Scene, clock: Any
) -> None:
    address = reverse("nodes:host_key", args=[scene.server1.pk])
    key = HostKey.objects.create(server=scene.server1, key_type="x", base64="AA", sha256="SHA256:new")
    old = HostKey.objects.create(
        server=scene.server1, key_type="x", base64="BB", sha256="SHA256:old", state=HostKeyState.PINNED
    )
    clock.shift(PROOF_S)
    body = {"decision": "approve", "sha256": key.sha256}
    assert as_admin.post(address, body)["Location"].startswith("/prove/")
    key.refresh_from_db()
    assert key.state == HostKeyState.OFFERED
    old.delete()
    assert as_admin.post(address, body)["Location"] == reverse("nodes:preflight", args=[scene.server1.pk])


def test_another_login_for_a_server_needs_it(as_admin: Client, scene: Scene, clock: Any) -> None:
    from nodes.models import Credential

    made = Credential.objects.create(name="c", password="x" * 12)
    server = scene.server1
    body = {"name": server.name, "group": server.group_id, "address": server.address, "port": 22}
    address = reverse("nodes:edit_server", args=[server.pk])
    clock.shift(PROOF_S)
    assert as_admin.post(address, body)["Location"] == reverse("nodes:server", args=[server.pk])
    assert as_admin.post(address, body | {"credential": made.pk})["Location"].startswith("/prove/")


def test_a_user_who_left_is_out_with_her_next_click(client: Client, alice: Any) -> None:
    client.force_login(alice)
    assert client.get("/").status_code == 200
    alice.is_active = False
    alice.save()
    assert client.get("/")["Location"].startswith("/login/")


def test_a_new_password_ends_other_sessions(as_admin: Client, admin: Any) -> None:
    other = Client()
    other.force_login(admin)
    new = "a-quite-different-phrase"
    body = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert as_admin.post("/account/password/", body)["Location"] == "/account/"
    assert as_admin.get("/").status_code == 200
    assert other.get("/").status_code == 302


def test_pages_of_a_session_are_kept_by_no_browser(client: Client, alice: Any) -> None:
    client.force_login(alice)
    for address in ("/", "/servers/", "/networks/", "/tree/"):
        assert client.get(address)["Cache-Control"] == "private, no-store", address
