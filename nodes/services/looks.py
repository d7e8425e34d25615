"""Asking for a look now, instead of waiting for the schedule."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.utils import timezone

from nodes.choices import Role, ServerOS
from nodes.fanout import lock
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser, PhysicalServerQuerySet
from nodes.services.errors import ServiceError, require_role


def request_look(user: AnyUser, server: PhysicalServer) -> None:
    """Have the worker look at the server soon; needs the operator role.

    The request is a column of the server, which the schedule sweeps: a broker that is away only delays it.
    """
    require_role(user, Role.OPERATOR, server.group)
    if server.os == ServerOS.WINDOWS:
        raise ServiceError(f"{server} is a Windows server: the panel does not look at it.")
    if not server.is_enabled:
        raise ServiceError(f"{server} is disabled. Enable it first.")
    # Whoever looks at one server has often just mended or updated something there.
    request_looks(user, PhysicalServer.objects.filter(pk=server.pk), whole=True)


def request_looks(user: AnyUser, servers: PhysicalServerQuerySet, whole: bool = False) -> int:
    """Ask for a look at all enabled Linux servers of the queryset that the user may operate; how many.

    `whole`: nothing of it is to be remembered from earlier looks (nodes/remembered.py).
    """
    from nodes import tasks

    due = PhysicalServer.objects.operable_by(user).filter(
        pk__in=servers.values("pk"), os=ServerOS.LINUX, is_enabled=True
    )
    with transaction.atomic():
        pks = list(due.values_list("pk", flat=True))
        lock(pks)
        PhysicalServer.objects.filter(pk__in=pks).update(look_requested_at=timezone.now())
        transaction.on_commit(partial(tasks.send_shards, pks, whole))
    return len(pks)
