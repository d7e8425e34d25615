"""Secrets at rest."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from nodes.models import Credential
from vnetpanel import crypto


@pytest.fixture(autouse=True)
def fresh_keys(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("VNETPANEL_KEYS", raising=False)
    monkeypatch.delenv("VNETPANEL_KEYS_FILE", raising=False)
    settings.VNETPANEL_KEYS_FILE = tmp_path / "keys"
    crypto.forget_keys()
    yield
    crypto.forget_keys()


def stored(credential: Credential) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT password FROM {Credential._meta.db_table} WHERE id = %s", [credential.pk])
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_the_database_holds_a_token_and_python_sees_the_text() -> None:
    credential = Credential.objects.create(name="one", password="correct horse")
    assert "correct horse" not in stored(credential)
    assert stored(credential).startswith("gAAAA")
    assert Credential.objects.get(name="one").password == "correct horse"


@pytest.mark.django_db
def test_an_empty_secret_stays_empty() -> None:
    assert stored(Credential.objects.create(name="one", password="")) == ""


@pytest.mark.django_db
def test_it_fails_loudly_with_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    Credential.objects.create(name="one", password="correct horse")
    monkeypatch.setenv("VNETPANEL_KEYS", Fernet.generate_key().decode())
    crypto.forget_keys()
    credential = Credential.objects.get(name="one")
    with pytest.raises(crypto.WrongKeyError) as raised:
        credential.password  # noqa: B018
    assert "gAAAA" not in str(raised.value)


@pytest.mark.django_db
def test_it_reads_what_an_older_key_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("VNETPANEL_KEYS", old)
    crypto.forget_keys()
    Credential.objects.create(name="one", password="correct horse")
    monkeypatch.setenv("VNETPANEL_KEYS", f"{new},{old}")
    crypto.forget_keys()
    assert Credential.objects.get(name="one").password == "correct horse"


@pytest.mark.django_db
def test_it_cannot_be_searched() -> None:
    with pytest.raises(TypeError, match="encrypted"):
        Credential.objects.filter(password="correct horse").exists()


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    first = crypto.load_keys()
    assert crypto.load_keys() == first
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


def test_a_named_key_file_that_is_missing_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VNETPANEL_KEYS_FILE", str(tmp_path / "elsewhere"))
    with pytest.raises(ImproperlyConfigured, match="cannot be read"):
        crypto.load_keys()
    assert not (tmp_path / "elsewhere").exists()


def test_a_malformed_key_is_refused_without_being_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNETPANEL_KEYS", "hunter2hunter2")
    with pytest.raises(ImproperlyConfigured) as raised:
        crypto.encrypt("text")
    assert "hunter2" not in str(raised.value)


@pytest.mark.django_db
def test_a_row_that_no_key_fits_can_be_named_and_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    token = stored(Credential.objects.create(name="one", password="correct horse"))
    monkeypatch.setenv("VNETPANEL_KEYS", Fernet.generate_key().decode())
    crypto.forget_keys()
    credential = Credential.objects.get(name="one")
    credential.username = "other"
    credential.save()
    assert stored(credential) == token
    credential.password = "battery staple"
    credential.save()
    assert Credential.objects.get(name="one").password == "battery staple"


@pytest.mark.django_db
def test_a_deferred_secret_is_read_when_asked_for() -> None:
    Credential.objects.create(name="one", password="correct horse")
    credential = Credential.objects.defer("password").get(name="one")
    assert credential.password == "correct horse"
    credential.refresh_from_db()
    assert credential.password == "correct horse"


@pytest.mark.django_db
def test_a_key_that_was_added_meanwhile_is_found(tmp_path: Path) -> None:
    old = crypto.load_keys()[0]
    crypto.encrypt("x")
    new = Fernet.generate_key().decode()
    token = Fernet(new).encrypt(b"written by another process").decode()
    (tmp_path / "keys").write_text(f"{new}\n{old}\n")
    assert crypto.decrypt(token) == "written by another process"


@pytest.mark.django_db
def test_a_key_that_was_put_in_front_is_used_at_once(tmp_path: Path) -> None:
    """Else what a running process stores after `rotate_keys` would be lost with the old key."""
    old = crypto.load_keys()[0]
    crypto.encrypt("x")
    new = Fernet.generate_key().decode()
    (tmp_path / "keys").write_text(f"{new}\n{old}\n")
    assert Fernet(new).decrypt(crypto.encrypt("after").encode()) == b"after"
