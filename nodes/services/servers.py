"""Physical servers: added, changed, removed."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from nodes.choices import HostKeyState, Role, ServerOS, ServerState
from nodes.models import Adapter, Container, Credential, PhysicalServer, ServerGroup
from nodes.querysets import AnyUser
from nodes.services.errors import NotAllowed, ServiceError, check, refused_if_in_use, require_role
from nodes.services.host_keys import read_host_key_soon

CHANGEABLE = frozenset(
    {
        "name",
        "description",
        "group",
        "os",
        "address",
        "port",
        "credential",
        "use_sudo",
        "legacy_ssh",
        "is_enabled",
    }
)


def add_server(
    user: AnyUser,
    *,
    name: str,
    group: ServerGroup,
    address: str,
    os: str = ServerOS.LINUX,
    port: int = 22,
    credential: Credential | None = None,
    use_sudo: bool = False,
    legacy_ssh: bool = False,
    description: str = "",
) -> PhysicalServer:
    """Register a server; needs the admin role in its group.

    A Linux server starts as "new": its host key is read and offered, and nothing is sent to it until a
    person has approved the key. A Windows server is inventory only.
    """
    require_role(user, Role.ADMIN, group)
    _check_credential(user, credential)
    server = PhysicalServer(
        name=name.strip(),
        group=group,
        address=address.strip(),
        os=os,
        port=port,
        credential=credential,
        use_sudo=use_sudo,
        legacy_ssh=legacy_ssh,
        description=description.strip(),
        state=ServerState.NEW if os == ServerOS.LINUX else ServerState.INVENTORY_ONLY,
        state_since=timezone.now(),
    )
    with transaction.atomic():
        _save(server)
        if server.is_managed:
            read_host_key_soon([server.pk])
    return server


def change_server(user: AnyUser, server: PhysicalServer, **changes: Any) -> PhysicalServer:
    """Change what people decide about a server (`CHANGEABLE`); needs the admin role in its group.

    An approved host key stays approved: a machine that answers at a new address must present the same key.
    """
    if unknown := changes.keys() - CHANGEABLE:
        raise TypeError(f"not changeable: {', '.join(sorted(unknown))}")
    require_role(user, Role.ADMIN, server.group)
    if "group" in changes and changes["group"] != server.group:
        require_role(user, Role.ADMIN, changes["group"])
    if "credential" in changes and changes["credential"] != server.credential:
        _check_credential(user, changes["credential"])
    if "os" in changes and changes["os"] != server.os:
        _change_os(server, changes["os"])
    for name, value in changes.items():
        setattr(server, name, value.strip() if isinstance(value, str) else value)
    with transaction.atomic():
        _save(
            server,
            update_fields=[*changes, *(["state", "state_reason", "state_since"] if "os" in changes else [])],
        )
    return server


def remove_server(user: AnyUser, server: PhysicalServer) -> None:
    """Forget a server and all that was seen on it; needs the admin role in its group.

    Refused, naming the users, while virtual networks are assigned there or have members there. The server
    itself is not touched.
    """
    require_role(user, Role.ADMIN, server.group)
    with transaction.atomic(), refused_if_in_use(f"The physical server {server}"):
        PhysicalServer.objects.get(pk=server.pk).delete()


def _check_credential(user: AnyUser, credential: Credential | None) -> None:
    if credential is None:
        return
    if not Credential.objects.visible_to(user).filter(pk=credential.pk).exists():
        raise NotAllowed(f"You may not use the credential {credential}.")


def _change_os(server: PhysicalServer, os: str) -> None:
    """Observed rows and rows entered by hand must not mix: the kind of a server with rows is fixed."""
    rows = Adapter.objects.filter(server=server), Container.objects.filter(server=server)
    if any(queryset.exists() for queryset in rows):
        raise ServiceError(
            f"{server} has network adapters or containers already. Remove it and add it anew to change "
            "its operating system.",
            "os",
        )
    if os == ServerOS.WINDOWS:
        server.state = ServerState.INVENTORY_ONLY
    else:
        is_trusted = server.host_keys.filter(state=HostKeyState.PINNED).exists()
        server.state = ServerState.WAITING if is_trusted else ServerState.NEW
    server.state_reason = ""
    server.state_since = timezone.now()


def _save(server: PhysicalServer, update_fields: list[str] | None = None) -> None:
    if not server.name:
        raise ServiceError("Enter a name for the physical server.", "name")
    taken = ServiceError(
        f'There is a physical server named "{server.name}" already. Enter another name.', "name"
    )
    if PhysicalServer.objects.filter(name=server.name).exclude(pk=server.pk).exists():
        raise taken
    check(server)
    try:
        with transaction.atomic():
            server.save(update_fields=update_fields)
    except IntegrityError:
        raise taken from None
