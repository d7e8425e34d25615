"""Secrets typed in to add a server: taken letter by letter, never sent back, asked for again in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from nodes.models import PhysicalServer
from nodes.ssh import make_key_pair
from tests.networks.conftest import Scene

AGAIN = "This is never shown again: enter it once more."


@pytest.fixture
def wanted(scene: Scene) -> dict[str, Any]:
    return {
        "name": "new1", "group": scene.group.pk, "os": "linux", "address": "192.0.2.7", "port": 22,
        "login": "key", "username": "root", "private_key": make_key_pair().private,
    }  # fmt: skip


def send(client: Client, body: dict[str, Any]) -> Any:
    return client.post(reverse("nodes:add_server"), body)


def test_a_pasted_key_is_not_sent_back_when_another_field_is_wrong(
    as_admin: Client, wanted: dict[str, Any]
) -> None:
    answer = send(as_admin, wanted | {"address": "no address", "passphrase": "of the key"})
    assert answer.status_code == 200
    assert wanted["private_key"].splitlines()[1] not in answer.text
    assert "of the key" not in answer.text


def test_what_must_be_given_again_is_said_at_its_field(as_admin: Client, wanted: dict[str, Any]) -> None:
    form = send(as_admin, wanted | {"address": "no address", "passphrase": "x"}).context["form"]
    assert (form.errors["private_key"], form.errors["passphrase"]) == ([AGAIN], [AGAIN])
    form = send(as_admin, wanted | {"address": "", "login": "password", "password": "x"}).context["form"]
    assert form.errors["password"] == [AGAIN]
    assert "private_key" not in form.errors


def test_it_is_said_too_when_only_storing_finds_the_fault(
    as_admin: Client, wanted: dict[str, Any], scene: Scene
) -> None:
    form = send(as_admin, wanted | {"name": scene.server1.name}).context["form"]
    assert "There is a physical server" in form.errors["name"][0]
    assert form.errors["private_key"] == [AGAIN]


def test_nothing_is_asked_for_again_that_was_not_given(as_admin: Client, wanted: dict[str, Any]) -> None:
    assert AGAIN not in as_admin.get(reverse("nodes:add_server")).text
    assert AGAIN not in send(as_admin, wanted | {"private_key": ""}).text


def test_spaces_around_a_password_are_part_of_it(as_admin: Client, wanted: dict[str, Any]) -> None:
    assert send(as_admin, wanted | {"login": "password", "password": " pass word "}).status_code == 302
    credential = PhysicalServer.objects.get(name="new1").credential
    assert credential and credential.password == " pass word "


def test_spaces_around_a_passphrase_are_part_of_it(as_admin: Client, wanted: dict[str, Any]) -> None:
    key = make_key_pair(passphrase=" of it ").private
    answer = send(as_admin, wanted | {"private_key": key, "passphrase": " of it "})
    assert answer.status_code == 302, answer.context["form"].errors


def test_the_page_is_kept_nowhere_and_its_secrets_in_no_report(
    as_admin: Client, wanted: dict[str, Any]
) -> None:
    answer = send(as_admin, wanted | {"address": ""})
    assert "no-store" in answer["Cache-Control"]
    hidden = answer.wsgi_request.sensitive_post_parameters
    assert set(hidden) == {"private_key", "passphrase", "password"}
