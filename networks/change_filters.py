"""The filters of the list of Changes: what was typed, checked, and the rows that it leaves."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date

from networks.choices import TERMINAL_CHANGE_STATES, ChangeState
from networks.models import Operation

KINDS = {
    "ok": "Done",
    "behind": "Servers behind, or done in part",
    "trouble": "Failed, cancelled or needs attention",
    "open": "Under review or under way",
}
_STATES: dict[str, set[str]] = {
    "ok": {ChangeState.DONE},
    "behind": {ChangeState.BEHIND, ChangeState.PARTLY},
    "trouble": {ChangeState.FAILED, ChangeState.CANCELLED, ChangeState.NEEDS_ATTENTION},
    "open": {str(state) for state in set(ChangeState) - TERMINAL_CHANGE_STATES},
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the filter form holds; what cannot be understood filters nothing."""

    q: str = ""
    state: str = ""
    server: str = ""
    by: str = ""
    network: str = ""
    since: str = ""
    until: str = ""

    @property
    def is_set(self) -> bool:
        return any((self.q, self.state, self.server, self.by, self.network, self.since, self.until))


def filters_of(given: Mapping[str, str]) -> Filters:
    """The filters of a query string, bounded."""

    def text(name: str) -> str:
        return given.get(name, "").replace("\0", "").strip()[:100]

    return Filters(
        q=text("q"),
        state=text("state") if text("state") in KINDS else "",
        server=text("server"),
        by=text("by"),
        network=_network(text("network")),
        since=text("since") if _day(text("since"), time.min) else "",
        until=text("until") if _day(text("until"), time.max) else "",
    )


def _network(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""


def _day(text: str, at: time) -> datetime | None:
    try:
        day = parse_date(text)
    except ValueError:
        return None
    # At the edges another time zone's hour is no date any more.
    if day is None or not 1 < day.year < 9999:
        return None
    return timezone.make_aware(datetime.combine(day, at))


def filtered(rows: QuerySet[Any], filters: Filters) -> QuerySet[Any]:
    """The Changes that all the filters leave."""
    found = Q()
    if filters.q:
        found &= Q(summary__icontains=filters.q) | Q(reason__icontains=filters.q)
    if filters.state:
        found &= Q(state__in=_STATES[filters.state])
    if filters.server:
        named = Operation.objects.filter(server_name__icontains=filters.server)
        found &= Q(pk__in=named.values("change"))
    if filters.by:
        found &= Q(author__username__icontains=filters.by)
    if filters.network:
        # Edits name networks by their ids, which stand nowhere else.
        found &= Q(edits__contains=filters.network)
    if since := _day(filters.since, time.min):
        found &= Q(created_at__gte=since)
    if until := _day(filters.until, time.max):
        found &= Q(created_at__lte=until)
    return rows.filter(found)
