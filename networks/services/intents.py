"""Saying and taking back what a virtual network is meant to do."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from networks.models import NetworkIntent, VirtualNetwork
from networks.models.intents import IntentKind
from networks.points import UnknownPoint, point_text, read_point
from networks.services.errors import Conflict, NotAllowed
from trust.audit import record


def add_intent(
    user: User, network: VirtualNetwork, kind: str, source: str = "", target: str = ""
) -> NetworkIntent:
    """Store an assertion. `source` and `target` as people say them, for "sees" only.

    Raises NotAllowed, UnknownPoint, or Conflict if it is meant already.
    """
    _need(user, network)
    ends = ("", "")
    if kind == IntentKind.SEES:
        points = read_point(source, user), read_point(target, user)
        if points[0] == points[1]:
            raise UnknownPoint("Name two different ones.")
        ends = point_text(points[0]), point_text(points[1])
    try:
        with transaction.atomic():
            row = NetworkIntent.objects.create(
                network=network, kind=kind, source=ends[0], target=ends[1], created_by=user
            )
            words = f"{row.get_kind_display()}" + (f" ({source} sees {target})" if ends[0] else "")
            record("intent.added", f"{network.name} is meant: {words}", actor=user)
    except IntegrityError as error:
        raise Conflict("This is meant already.") from error
    return row


def remove_intent(user: User, row: NetworkIntent) -> None:
    """Take an assertion back. Raises NotAllowed."""
    _need(user, row.network)
    with transaction.atomic():
        text = f"{row.network.name} is no longer meant: {row.get_kind_display()}"
        row.delete()
        record("intent.removed", text, actor=user)


def _need(user: User, network: VirtualNetwork) -> None:
    if not VirtualNetwork.objects.filter(pk=network.pk).changeable_by(user).exists():
        raise NotAllowed(
            f"To say what {network.name} is meant to do you need the operator role on every server group "
            "where it has members or assignments."
        )
