"""Changing the keys of stored secrets: all are encrypted anew, an interruption does no harm."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from nodes.models import Credential
from tests.networks.conftest import Scene, scene
from trust import key_rotation
from trust.models import Entry, TwoFactor
from vnetpanel import crypto

__all__ = ["scene"]

pytestmark = pytest.mark.django_db


class Keys:
    """The panel's keys, as a test sets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.old, self.new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        self.are(self.old)

    def are(self, *keys: str) -> None:
        self.monkeypatch.setenv("VNETPANEL_KEYS", ",".join(keys))
        crypto.forget_keys()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    yield Keys(monkeypatch)
    monkeypatch.undo()
    crypto.forget_keys()


@pytest.fixture
def secrets(keys: Keys, alice: Any) -> list[str]:
    for number in range(5):
        Credential.objects.create(
            name=f"c{number}", password=f"password {number}", private_key=f"key {number}"
        )
    TwoFactor.objects.create(user=alice, secret="JBSWY3DP", confirmed_at=timezone.now())
    return [f"password {number}" for number in range(5)]


def rotate() -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command("rotate_keys", stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), f"{err.getvalue()}{error}"
    return out.getvalue(), err.getvalue()


def passwords() -> list[str]:
    return [one.password for one in Credential.objects.order_by("name")]


def test_the_old_key_can_go_afterwards(keys: Keys, secrets: list[str]) -> None:
    keys.are(keys.new, keys.old)
    assert rotate() == (
        "11 encrypted anew, 0 had the newest key already.\nOlder keys can be removed now.\n",
        "",
    )
    keys.are(keys.new)
    assert passwords() == secrets
    assert TwoFactor.objects.get().secret == "JBSWY3DP"
    assert Entry.objects.filter(action="keys.rotated").count() == 1


def test_it_goes_on_where_it_was_interrupted(
    keys: Keys, secrets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.are(keys.new, keys.old)
    replace, done = key_rotation._replace, []

    def die_after_four(one: Any, token: str) -> bool:
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(one)
        return replace(one, token)

    with monkeypatch.context() as patched:
        patched.setattr(key_rotation, "_replace", die_after_four)
        with pytest.raises(KeyboardInterrupt):
            rotate()
    assert passwords() == secrets
    assert rotate()[0].startswith("7 encrypted anew, 4 had the newest key already.")
    keys.are(keys.new)
    assert passwords() == secrets


def test_a_secret_that_is_changed_meanwhile_keeps_its_change(
    keys: Keys, secrets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.are(keys.new, keys.old)
    replace = key_rotation._replace

    def after_a_change(one: Any, token: str) -> bool:
        Credential.objects.filter(name="c0").update(password="changed meanwhile")
        return replace(one, token)

    monkeypatch.setattr(key_rotation, "_replace", after_a_change)
    rotate()
    assert Credential.objects.get(name="c0").password == "changed meanwhile"


def test_what_no_key_fits_is_named_and_left_alone(keys: Keys, secrets: list[str]) -> None:
    keys.are(keys.new)
    Credential.objects.filter(name="c3").update(password="typed in again")
    _, said = rotate()
    assert "No key fits: credential" in said and "(c1): password" in said
    assert "(c3): password" not in said
    assert "10 secrets cannot be decrypted" in said
    keys.are(keys.new, keys.old)
    assert passwords()[1] == secrets[1]


def test_the_check_names_them_too(keys: Keys, secrets: list[str]) -> None:
    def found() -> list[str]:
        return [one.msg for one in run_checks(databases=["default"]) if one.id == "trust.W001"]

    assert found() == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE nodes_credential SET password = 'gAAAAbroken' WHERE name = 'c2'")
    (message,) = found()
    assert "(c2): password" in message and "c1" not in message and "gAAAA" not in message


def test_pages_that_name_a_login_need_no_key(
    keys: Keys, secrets: list[str], scene: Scene, admin: Any
) -> None:
    scene.server1.credential = Credential.objects.get(name="c1")
    scene.server1.save()
    keys.are(keys.new)
    client = Client()
    client.force_login(admin)
    for name in ("nodes:server", "nodes:edit_server", "nodes:preflight", "nodes:host_key"):
        assert client.get(reverse(name, args=[scene.server1.pk])).status_code == 200
    assert client.get(reverse("admin:nodes_credential_changelist")).status_code == 200


def test_a_secret_that_no_key_fits_is_entered_again_on_its_page(
    keys: Keys, secrets: list[str], admin: Any
) -> None:
    keys.are(keys.new)
    client = Client()
    client.force_login(admin)
    row = Credential.objects.get(name="c1")
    address = reverse("admin:nodes_credential_change", args=[row.pk])
    assert client.get(address).status_code == 200
    body = {"name": "c1", "username": "root", "new_password": "typed in again"}
    assert client.post(address, body).status_code == 302
    assert Credential.objects.get(name="c1").password == "typed in again"
