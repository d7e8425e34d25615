"""After the panel's clock was set back: stored times that lie in the future are brought back to now.

What is due, who holds a row and which look is the newest is told by comparing stored times with now. Those
stored before the clock was set back lie ahead of it, and the panel would leave their rows alone until it is
as late again. Each app names the times that it compares, and how far ahead each may lie
(settings.TIMES_COMPARED); one that lies further ahead cannot be true. Times that only tell people when
something was stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Max, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.module_loading import import_string

log = structlog.get_logger(__name__)

SLACK = timedelta(seconds=5)
"""So much the clocks of machines that share a database may differ."""
NEVER_AHEAD = timedelta()
"""Of a time at which something was."""


@dataclass(frozen=True, slots=True)
class Times:
    """Columns of rows that are compared with now, each with how far ahead of it its times may lie."""

    rows: QuerySet[Any]
    ahead: Mapping[str, timedelta]
    held: Collection[str] = ()
    """Those until which somebody has the row to himself. They become as late as they may be, so that who
    lives renews them in time; all others become now."""
    told_by: Collection[str] = ()
    """The columns that tell which rows are wrong, where only these can be looked up quickly; else all."""

    def bring_back(self, now: datetime) -> timedelta:
        """Bring back what cannot be true; how far ahead of that the farthest was. One query if none was."""
        told_by = self.told_by or tuple(self.ahead)
        latest = self.rows.aggregate(*map(Max, told_by))
        beyond = [
            at - now - self.ahead[column]
            for column in told_by
            if (at := latest[f"{column}__max"]) is not None
        ]
        farthest = max(beyond, default=timedelta())
        if farthest <= SLACK:
            return timedelta()
        wrong = self.rows.filter(reduce(or_, (self._is_wrong(column, now) for column in told_by)))
        with transaction.atomic():
            # Rows in the order in which every writer of many takes them, so that no two wait for each other.
            list(wrong.order_by("pk").select_for_update().values_list("pk"))
            wrong.update(**{column: self._brought_back(column, now) for column in self.ahead})
        return farthest

    def _is_wrong(self, column: str, now: datetime) -> Q:
        return Q(**{f"{column}__gt": now + self.ahead[column] + SLACK})

    def _brought_back(self, column: str, now: datetime) -> Case:
        to = now + self.ahead[column] if column in self.held else now
        return Case(When(self._is_wrong(column, now), then=Value(to)), default=F(column))


def bring_back() -> None:
    """Bring back all stored times that cannot be true, and tell the log by how much the clock was set back.

    Whoever compares them meanwhile is no worse off than before.
    """
    now = timezone.now()
    named: list[Times] = [times for path in settings.TIMES_COMPARED for times in import_string(path)]
    if farthest := max(times.bring_back(now) for times in named):
        log.warning("clock_set_back", at_least_s=round(farthest.total_seconds()))


def is_from_before(at: datetime) -> bool:
    """Whether a time at which something was lies in the future: it is from before the clock was set back."""
    return at > timezone.now() + SLACK
