"""Host keys: read without logging in, shown, and approved by a person before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from django.db import transaction
from django.db.models import Case, Q, Value, When
from django.utils import timezone

from nodes.choices import HostKeyState, Role, ServerState
from nodes.models import HostKey, PhysicalServer
from nodes.querysets import AnyUser
from nodes.services.errors import ServiceError, require_role
from trust.audit import record
from trust.watch import delete_untold


def ask_host_key(user: AnyUser, server: PhysicalServer) -> None:
    """Have the worker read the server's host key again, without logging in; needs the admin role."""
    require_role(user, Role.ADMIN, server.group)
    if not server.is_managed:
        raise ServiceError(f"{server} is a Windows server: the panel does not connect to it.")
    read_host_key_soon([server.pk])


def read_host_key_soon(server_ids: Iterable[int]) -> None:
    """Send the worker to read the host keys of these servers, once what led to it is stored."""
    from nodes import tasks

    for pk in server_ids:
        transaction.on_commit(partial(tasks.send, tasks.offer_host_key, pk))


def approve_host_key(user: AnyUser, key: HostKey) -> None:
    """Trust an offered key from now on; the one trusted before is retired. Needs the admin role.

    The server is looked at right after. Raises ServiceError if somebody else has decided meanwhile.
    """
    from nodes import tasks

    require_role(user, Role.ADMIN, key.server.group)
    now = timezone.now()
    with transaction.atomic():
        approved = HostKey.objects.filter(pk=key.pk, state=HostKeyState.OFFERED).update(
            state=HostKeyState.PINNED, decided_at=now, decided_by=user
        )
        if not approved:
            raise ServiceError("This host key is not on offer any more: somebody else has decided about it.")
        HostKey.objects.filter(server=key.server, state=HostKeyState.PINNED).exclude(pk=key.pk).update(
            state=HostKeyState.RETIRED, decided_at=now, decided_by=user
        )
        blocked = Q(state__in=(ServerState.NEW, ServerState.HOST_KEY_CHANGED))
        PhysicalServer.objects.filter(pk=key.server_id).filter(blocked).update(
            state=ServerState.WAITING, state_reason="", state_since=now
        )
        # Nobody looks at a disabled server.
        if_enabled = Case(When(is_enabled=True, then=Value(now)))
        PhysicalServer.objects.filter(pk=key.server_id).update(
            next_look_at=if_enabled, look_requested_at=if_enabled
        )
        transaction.on_commit(partial(tasks.send_shards, [key.server_id]))
        record("host_key.approved", f"The host key {key} was approved.", actor=user, servers=[key.server])
    key.refresh_from_db()


def refuse_host_key(user: AnyUser, key: HostKey) -> None:
    """Take an offered key off the list; it is offered again if the server still presents it."""
    require_role(user, Role.ADMIN, key.server.group)
    with transaction.atomic():
        if not delete_untold(HostKey.objects.filter(pk=key.pk, state=HostKeyState.OFFERED)):
            raise ServiceError("This host key is not on offer any more: somebody else has decided about it.")
        record("host_key.refused", f"The host key {key} was refused.", actor=user, servers=[key.server])
