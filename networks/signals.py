"""What the inventory must not take away from under a Change, and what each look is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from django.db.models import Count, Max, ProtectedError, Q
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone

from networks.choices import IDLE_OPERATION_STATES
from networks.desired import head_number
from networks.drift import compare_many
from networks.models import Operation, StandingProblem
from nodes.models import PhysicalServer
from nodes.signals import compared_with, looked
from nodes.sync import Seen

log = structlog.get_logger(__name__)


@receiver(pre_delete, sender=PhysicalServer)
def keep_servers_of_open_changes(
    sender: type[PhysicalServer], instance: PhysicalServer, **kwargs: Any
) -> None:
    """A server whose part of a Change is not over stays until it is. Ended parts outlive the server."""
    open_parts = Operation.objects.filter(server=instance).exclude(state__in=IDLE_OPERATION_STATES)
    # With their Changes: whoever words the refusal is in a transaction that can ask no more.
    if busy := list(open_parts.select_related("change")):
        raise ProtectedError("A change is under way on this server.", set(busy))


@receiver(pre_delete, sender=PhysicalServer)
def end_its_problems(sender: type[PhysicalServer], instance: PhysicalServer, **kwargs: Any) -> None:
    """Without the server a problem would be told to whoever sees the others. What stands is found again."""
    StandingProblem.objects.open().filter(servers=instance).update(ended_at=timezone.now())


@receiver(looked)
def compare_with_desired(sender: type[PhysicalServer], looks: Sequence[Seen], **kwargs: Any) -> None:
    """Every look shows whether the server still is as it was decided."""
    try:
        compare_many([(look.server_id, look.facts, look.timing.at) for look in looks])
    except Exception:
        log.exception("comparing_failed", servers=[look.server_id for look in looks])
        # One of them may be at fault: the others are compared all the same.
        for look in looks if len(looks) > 1 else ():
            compare_with_desired(sender, [look])


@receiver(compared_with)
def desired_and_work(sender: type[PhysicalServer], **kwargs: Any) -> tuple[int, int, str]:
    """What a look is compared with: desired, and which Changes are at work or have just ended."""
    found = Operation.objects.aggregate(
        open=Count("pk", filter=~Q(state__in=IDLE_OPERATION_STATES) | Q(must_follow=True)),
        ended=Max("ended_at"),
    )
    return head_number(), found["open"], str(found["ended"])
