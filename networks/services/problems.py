"""Standing problems: list what a user may see, and acknowledge those that may stay for now."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from networks.domain.intent import Intent
from networks.intents import intent_of_problem
from networks.models import StandingProblem
from networks.services.errors import NotAllowed
from nodes.choices import Role
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser, group_paths
from trust.audit import record


def open_problems(user: AnyUser) -> QuerySet[StandingProblem]:
    """What is not mended yet, of what the user may see."""
    return StandingProblem.objects.open().visible_to(user)


def waiting_count(user: AnyUser) -> int:
    """Problems that nobody has acknowledged. One query, and one for the user's roles."""
    return open_problems(user).filter(acknowledged_at=None).count()


@dataclass(frozen=True, slots=True)
class Breached:
    """An intent's problem, None where the user may not see it; `where` as networks/intents.py has it."""

    problem: StandingProblem | None
    where: str


def breached_intents(user: AnyUser, network_id: uuid.UUID) -> dict[Intent, Breached]:
    """The intents of the network that Problems lists as breached. One query, and one for the user's roles."""
    seen = open_problems(user).filter(pk=OuterRef("pk"))
    rows = StandingProblem.objects.open().filter(cause="breach", subjects__0__network=str(network_id))
    found: dict[Intent, Breached] = {}
    for row in rows.annotate(is_seen=Exists(seen)):
        intent, where = intent_of_problem(row.subjects)
        if intent is not None:
            found[intent] = Breached(row if row.is_seen else None, where)
    return found


def acknowledge(user: User, ids: Collection[int], note: str) -> int:
    """Mark problems as known, with the reason why they may stay; how many were not so before.

    Raises NotAllowed unless the user is operator of all servers that they name. A problem that goes and comes
    back is a new one.
    """
    with transaction.atomic():
        chosen = list(open_problems(user).filter(pk__in=ids, acknowledged_at=None))
        _need_operator(user, chosen)
        open_problems(user).filter(pk__in=[p.pk for p in chosen]).update(
            acknowledged_at=timezone.now(),
            acknowledged_by=user,
            acknowledged_name=user.get_username(),
            note=note,
        )
        if chosen:
            why = f": {note}" if note else ""
            _record("problem.acknowledged", f"Acknowledged {_said(chosen)}{why}", user, chosen)
    return len(chosen)


def withdraw(user: User, ids: Collection[int]) -> int:
    """Take acknowledgements back. Raises NotAllowed as `acknowledge` does."""
    with transaction.atomic():
        chosen = list(open_problems(user).filter(pk__in=ids).exclude(acknowledged_at=None))
        _need_operator(user, chosen)
        open_problems(user).filter(pk__in=[p.pk for p in chosen]).update(
            acknowledged_at=None, acknowledged_by=None, acknowledged_name="", note=""
        )
        if chosen:
            _record("problem.reopened", f"Took back the acknowledgement of {_said(chosen)}", user, chosen)
    return len(chosen)


def acknowledgeable(user: AnyUser, problems: Collection[StandingProblem]) -> frozenset[int]:
    """Keys of those that `acknowledge` and `withdraw` take from the user. At most one query."""
    keys = frozenset(problem.pk for problem in problems)
    if getattr(user, "is_superuser", False):
        return keys
    if not group_paths(user, Role.OPERATOR):
        return frozenset()
    mine = PhysicalServer.objects.operable_by(user).values("pk")
    named = StandingProblem.servers.through.objects.filter(standingproblem__in=keys)
    return keys - frozenset(named.exclude(physicalserver__in=mine).values_list("standingproblem", flat=True))


def _need_operator(user: User, chosen: Collection[StandingProblem]) -> None:
    named = PhysicalServer.objects.filter(problems__in=chosen).distinct()
    foreign = named.exclude(pk__in=PhysicalServer.objects.operable_by(user).values("pk"))
    if names := list(foreign.values_list("name", flat=True)[:5]):
        raise NotAllowed(f"To acknowledge this you need the operator role on {', '.join(names)}.")
    if not user.is_superuser and not group_paths(user, Role.OPERATOR):
        raise NotAllowed("To acknowledge problems you need the operator role on a server group.")


def _said(chosen: list[StandingProblem]) -> str:
    return f"“{chosen[0].text}”" + (f" and {len(chosen) - 1} more" if len(chosen) > 1 else "")


def _record(action: str, text: str, user: User, chosen: Collection[StandingProblem]) -> None:
    servers = PhysicalServer.objects.filter(problems__in=chosen).distinct().order_by("name")
    record(action, text, actor=user, servers=servers[:200])
