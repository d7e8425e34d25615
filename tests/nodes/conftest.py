"""Fixtures of the inventory's tests."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.choices import HostKeyState, Role, ServerOS, ServerState
from nodes.models import (
    Credential,
    GroupRole,
    HostKey,
    PhysicalSegment,
    PhysicalServer,
    ServerGroup,
)


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
