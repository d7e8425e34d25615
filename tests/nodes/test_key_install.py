"""The panel puts its own key on a server with a password that it uses once and stores nowhere."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from nodes import services
from nodes.choices import HostKeyState, ServerState
from nodes.models import HostKey, PhysicalServer
from nodes.observe import pool, target_of
from tests.sshd import PASSWORD, Sshd
from trust.models import Entry


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    config = "PasswordAuthentication yes\nPermitRootLogin yes\nAuthorizedKeysFile .ssh/authorized_keys"
    with Sshd(tmp_path / "sshd", config) as running:
        yield running


@pytest.fixture
def bare(own_sshd: Sshd, server: PhysicalServer, admin: Any) -> Iterator[PhysicalServer]:
    """A server that has no key of the panel's yet; its login is a key that the panel made."""
    server.credential = services.create_key_credential(
        admin, name="made", username="root", group=server.group
    )
    server.address, server.port, server.state = own_sshd.address, own_sshd.port, ServerState.LOGIN_REFUSED
    server.save()
    HostKey.objects.filter(server=server).delete()
    for key in own_sshd.host_keys:
        HostKey.objects.create(
            server=server, key_type=key.type, base64=key.base64, sha256=key.sha256, state=HostKeyState.PINNED
        )
    yield PhysicalServer.objects.get(pk=server.pk)
    pool().forget(str(server.pk))


def keys_on(sshd: Sshd) -> Path:
    return sshd.home / ".ssh" / "authorized_keys"


def install(client: Client, server: PhysicalServer, password: str) -> str:
    return client.post(
        reverse("nodes:install_key", args=[server.pk]), {"password": password}, follow=True
    ).text


@pytest.fixture
def as_admin(client: Client, admin: Any) -> Client:
    client.force_login(admin)
    return client


@pytest.mark.django_db
def test_afterwards_the_key_lets_the_panel_in(own_sshd: Sshd, bare: PhysicalServer, as_admin: Client) -> None:
    assert 'name="password"' in as_admin.get(reverse("nodes:preflight", args=[bare.pk])).text
    assert "The password was not stored" in install(as_admin, bare, PASSWORD)
    assert bare.credential
    assert keys_on(own_sshd).read_text() == f"{bare.credential.public_key}\n"
    assert stat.S_IMODE(keys_on(own_sshd).stat().st_mode) == 0o600
    from nodes.commands import Command

    assert pool().run(target_of(bare), Command(("true",))).ok
    bare.refresh_from_db()
    assert bare.look_requested_at
    assert Entry.objects.get(action="key.installed").server_names == ["server1"]


@pytest.mark.django_db(transaction=True)
def test_the_password_is_nowhere_afterwards(
    own_sshd: Sshd, bare: PhysicalServer, as_admin: Client, capsys: Any
) -> None:
    install(as_admin, bare, PASSWORD)
    assert "is not on the server" in install(as_admin, bare, PASSWORD + "x")
    captured = capsys.readouterr()
    assert PASSWORD not in captured.out + captured.err
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        name = settings.DATABASES["default"]["TEST"]["NAME"]
        assert not [line for line in sqlite3.connect(name).iterdump() if PASSWORD in line]


@pytest.mark.django_db
def test_twice_is_once_and_other_keys_stay(own_sshd: Sshd, bare: PhysicalServer, admin: Any) -> None:
    keys_on(own_sshd).parent.mkdir()
    keys_on(own_sshd).write_text("ssh-ed25519 AAAAother somebody")
    for _ in range(2):
        services.install_key(admin, bare, PASSWORD)
    assert bare.credential
    assert keys_on(own_sshd).read_text().splitlines() == [
        "ssh-ed25519 AAAAother somebody",
        bare.credential.public_key,
    ]


@pytest.mark.django_db
def test_a_wrong_password_says_so(own_sshd: Sshd, bare: PhysicalServer, as_admin: Client) -> None:
    page = install(as_admin, bare, "wrong")
    assert "The key is not on the server." in page and 'value="wrong"' not in page
    assert not keys_on(own_sshd).exists()


@pytest.mark.django_db
def test_nothing_is_sent_before_the_host_key_is_approved(
    own_sshd: Sshd, bare: PhysicalServer, as_admin: Client
) -> None:
    HostKey.objects.filter(server=bare).update(state=HostKeyState.OFFERED)
    assert "host key has not been approved" in install(as_admin, bare, PASSWORD)
    assert own_sshd.connections == 0


@pytest.mark.django_db
def test_only_an_admin_of_the_group_may(bare: PhysicalServer, client: Client, operator: Any) -> None:
    client.force_login(operator)
    assert (
        client.post(reverse("nodes:install_key", args=[bare.pk]), {"password": PASSWORD}).status_code == 403
    )
    assert 'name="password"' not in client.get(reverse("nodes:preflight", args=[bare.pk])).text
