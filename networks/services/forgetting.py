"""Leaving a server: what the panel has installed there goes, the network stays as it runs."""

from __future__ import annotations

from networks.choices import IDLE_OPERATION_STATES
from networks.engine.hosts import Host, NoAnswer
from networks.models import Operation, Preparation
from networks.services.errors import Conflict, NotAllowed
from networks.services.queueing import told_as
from nodes.choices import Role
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser, has_role
from trust.audit import record


def forget_server(user: AnyUser, server: PhysicalServer) -> None:
    """Remove boot replay, watcher, start hook and the server's record; needs the admin role in its group.

    Asks the server and waits for its answer, some seconds at most. Raises NotAllowed, or Conflict with a
    sentence when it cannot be done now; then nothing has been removed, or it can be repeated.
    """
    if not has_role(user, Role.ADMIN, server.group):
        raise NotAllowed(f"To forget {server.name} you need the admin role on its server group.")
    open_part = Operation.objects.filter(server=server).exclude(state__in=IDLE_OPERATION_STATES)
    if busy := open_part.select_related("change").first():
        raise Conflict(f"{told_as(busy.change, user)} is under way on {server.name}. Wait for its end.")
    try:
        answer = Host(server).forget()
    except NoAnswer as error:
        raise Conflict(f"{server.name} could not be asked to forget: {error}") from error
    if not answer.ok:
        raise Conflict(f"{server.name} has not forgotten: {answer.words}")
    Preparation.objects.filter(server=server).delete()
    record(
        "server.forgotten",
        f"The panel's boot replay, watcher, start hook and record were removed from {server.name}.",
        actor=user,
        servers=[(server.pk, server.name)],
    )
