"""Bringing a server forward by hand that is behind: a review like any other, of a Change without edits."""

from __future__ import annotations

from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from networks.choices import TERMINAL_CHANGE_STATES, ChangeState
from networks.desired import head_number
from networks.models import Behind, Change
from networks.services.changes import discard_reviews, send
from networks.services.drafts import need_servers
from networks.services.errors import Conflict
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser


def bring_forward(user: User, server: PhysicalServer) -> Change:
    """Have the worker plan how to bring the server to what is desired; or the panel's own try under way.

    Needs the operator role there. Raises NotAllowed, or Conflict if the server is not behind or the panel is
    still planning its own try.
    """
    need_servers(user, [server.pk])
    row = Behind.objects.filter(server=server).select_related("attempt").first()
    if row is None:
        raise Conflict(f"{server.name} follows what was decided: there is nothing to bring forward.")
    if row.attempt and row.attempt.state == ChangeState.PLANNING:
        # Nobody's yet: reviews are shown to their author only.
        raise Conflict(f"The panel is planning that for {server.name} by itself. Look again in a moment.")
    if row.attempt and row.attempt.state not in TERMINAL_CHANGE_STATES | {ChangeState.PLANNED}:
        return row.attempt
    with transaction.atomic():
        discard_reviews(user)
        change = Change.objects.create(
            author_id=user.pk,
            base=head_number(),
            repairs=[server.pk],
            reason=row.reason[:500],
            state=ChangeState.PLANNING,
            sent_at=timezone.now(),
        )
        transaction.on_commit(partial(send, "networks.plan_change", change.pk))
    return change


def servers_behind(user: AnyUser) -> QuerySet[Behind]:
    """Servers that the user may see and that are behind. One query.

    `is_change_told`: whether she may see the Change that the server missed; it may be about others as well.
    """
    told = Change.objects.visible_to(user).filter(pk=OuterRef("change"))
    rows = Behind.objects.filter(server__in=PhysicalServer.objects.visible_to(user))
    return rows.select_related("server__group").annotate(is_change_told=Exists(told))
