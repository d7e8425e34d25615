"""Logging in and out."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from vnetpanel import settings as shipped

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"


def test_it_shows_a_form_with_labels(client: Client) -> None:
    page = client.get("/login/").content.decode()
    assert '<label class="form-label required" for="id_username">' in page
    assert 'class="form-control"' in page


def test_it_lets_a_user_in(client: Client, alice: Any) -> None:
    response = client.post("/login/", {"username": "alice", "password": PASSWORD, "next": "/health/"})
    assert (response.status_code, response["Location"]) == (302, "/health/")


def test_it_says_what_was_wrong_without_saying_which(client: Client, alice: Any) -> None:
    page = client.post("/login/", {"username": "alice", "password": "wrong"}).content.decode()
    assert 'role="alert"' in page
    assert "correct username and password" in page


def test_it_does_not_send_a_user_to_a_foreign_site(client: Client, alice: Any) -> None:
    response = client.post(
        "/login/", {"username": "alice", "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert response["Location"] == "/"


def test_logging_out_takes_a_post(client: Client, alice: Any) -> None:
    client.force_login(alice)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").status_code == 302
    assert client.get("/").status_code == 302


def test_a_form_without_its_token_is_refused(alice: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    response = strict.post("/login/", {"username": "alice", "password": PASSWORD})
    assert response.status_code == 403
    assert "Nothing was changed" in response.content.decode()


def test_passwords_are_stored_with_argon2(settings: Any, django_user_model: Any) -> None:
    settings.PASSWORD_HASHERS = shipped.PASSWORD_HASHERS
    bob = django_user_model.objects.create_user("bob", password=PASSWORD)
    assert bob.password.startswith("argon2$")


def test_the_admin_has_no_login_of_its_own(client: Client, alice: Any) -> None:
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/login/?next=/admin/"
    client.force_login(alice)
    refused = client.get("/admin/", follow=True)
    assert refused.status_code == 403
