"""What the inventory must not take away from under a Change."""

from __future__ import annotations

from typing import Any

from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from networks.choices import IDLE_OPERATION_STATES
from networks.models import Operation
from nodes.models import PhysicalServer


@receiver(pre_delete, sender=PhysicalServer)
def keep_servers_of_open_changes(
    sender: type[PhysicalServer], instance: PhysicalServer, **kwargs: Any
) -> None:
    """A server whose part of a Change is not over stays until it is. Ended parts outlive the server."""
    open_parts = Operation.objects.filter(server=instance).exclude(state__in=IDLE_OPERATION_STATES)
    # With their Changes: whoever words the refusal is in a transaction that can ask no more.
    if busy := list(open_parts.select_related("change")):
        raise ProtectedError("A change is under way on this server.", set(busy))
