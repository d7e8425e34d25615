"""Fixtures of the inventory's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from nodes import tasks
from nodes.choices import HostKeyState, Role, ServerOS, ServerState
from nodes.models import (
    Credential,
    GroupRole,
    HostKey,
    PhysicalSegment,
    PhysicalServer,
    ServerGroup,
)
from nodes.observe import pool
from tests.sshd import Sshd


@pytest.fixture
def group(db: None) -> ServerGroup:
    """A server group at the top."""
    return ServerGroup.objects.create(name="Berlin")


@pytest.fixture
def credential(group: ServerGroup) -> Credential:
    """A login with a password."""
    return Credential.objects.create(
        name="root of Berlin", username="root", password="s3cret-pw", group=group
    )


@pytest.fixture
def server(group: ServerGroup, credential: Credential) -> PhysicalServer:
    """A Linux server that nobody has looked at yet; its host key is approved."""
    server = PhysicalServer.objects.create(
        name="server1", group=group, address="192.0.2.11", credential=credential, state=ServerState.WAITING
    )
    HostKey.objects.create(
        server=server, key_type="ssh-ed25519", base64="AAAA", sha256="SHA256:old", state=HostKeyState.PINNED
    )
    return server


@pytest.fixture
def windows(group: ServerGroup) -> PhysicalServer:
    """A Windows server."""
    return PhysicalServer.objects.create(
        name="winnie",
        group=group,
        address="192.0.2.66",
        os=ServerOS.WINDOWS,
        state=ServerState.INVENTORY_ONLY,
    )


@pytest.fixture
def physical_network(db: None) -> PhysicalSegment:
    """The default segment; made again, because a test with real commits empties all tables."""
    segment, _ = PhysicalSegment.objects.get_or_create(is_default=True, defaults={"name": "physical network"})
    return segment


@pytest.fixture
def viewer(django_user_model: Any, group: ServerGroup) -> Any:
    """A user who may see the group."""
    return _with_role(django_user_model, "vera", group, Role.VIEWER)


@pytest.fixture
def operator(django_user_model: Any, group: ServerGroup) -> Any:
    """A user who may operate the group's servers."""
    return _with_role(django_user_model, "otto", group, Role.OPERATOR)


@pytest.fixture
def group_admin(django_user_model: Any, group: ServerGroup) -> Any:
    """A user who administers the group, and no superuser."""
    return _with_role(django_user_model, "gina", group, Role.ADMIN)


def _with_role(model: Any, name: str, group: ServerGroup, role: Role) -> Any:
    user = model.objects.create_user(name, password="correct-horse-battery")
    GroupRole.objects.create(user=user, group=group, role=role)
    return user


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A real sshd on this machine, for looks to log in to."""
    with Sshd(tmp_path / "sshd") as running:
        yield running


def behind(sshd: Sshd, server: PhysicalServer) -> PhysicalServer:
    """Make the server's rows lead to that sshd: address, login, approved host keys."""
    Credential.objects.filter(pk=server.credential_id).update(private_key=sshd.key.private, password="")
    PhysicalServer.objects.filter(pk=server.pk).update(address=sshd.address, port=sshd.port)
    HostKey.objects.filter(server=server).delete()
    for key in sshd.host_keys:
        HostKey.objects.create(
            server=server, key_type=key.type, base64=key.base64, sha256=key.sha256, state=HostKeyState.PINNED
        )
    server.refresh_from_db()
    return server


@pytest.fixture
def reachable(sshd: Sshd, server: PhysicalServer) -> Iterator[PhysicalServer]:
    """A server whose rows lead to the running sshd."""
    yield behind(sshd, server)
    pool().forget(str(server.pk))


@pytest.fixture
def office(admin: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The browser of a superuser; nothing is given to the broker."""
    monkeypatch.setattr(tasks, "send", lambda task, *args: None)
    client.force_login(admin)
    return client
