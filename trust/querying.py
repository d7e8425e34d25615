"""What the audit page can be filtered by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.dateparse import parse_date

from trust.models import Entry


@dataclass(frozen=True, slots=True)
class Filters:
    """Texts as typed; an empty one filters nothing, and a date that is none is ignored."""

    q: str = ""
    actor: str = ""
    action: str = ""
    server: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filters:
        """From a page's address; bounded."""
        return cls(
            **{name: query.get(name, "").replace("\0", "").strip()[:100] for name in cls.__dataclass_fields__}
        )

    def given(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}

    def applied_to(self, rows: QuerySet[Entry]) -> QuerySet[Entry]:
        """Lines that match all that is given."""
        if self.q:
            words = Q(text__icontains=self.q) | Q(result__icontains=self.q) | Q(servers__icontains=self.q)
            rows = rows.filter(words)
        if self.actor:
            rows = rows.filter(actor__iexact=self.actor)
        if self.action:
            rows = rows.filter(action__startswith=self.action)
        if self.server:
            rows = rows.filter(servers__icontains=self.server)
        if since := _day(self.since):
            rows = rows.filter(at__gte=_midnight(since))
        if until := _day(self.until):
            rows = rows.filter(at__lt=_midnight(until + timedelta(days=1)))
        return rows


def keys_of_whole_trail(first: int, number: int) -> Any:
    """So many numbers of lines, newest first, after the `first` ones, as a subquery.

    Numbers have no gaps, so none is passed over to find them: any page costs what the first costs.
    """
    newest = Subquery(Entry.objects.order_by("-number").values("number")[:1])
    return Entry.objects.filter(number__lte=newest - first).order_by("-number").values("pk")[:number]


def _day(text: str) -> date | None:
    try:
        found = parse_date(text)
    except ValueError:
        return None
    # At the edges another time zone's midnight is no date any more.
    return found if found is not None and 1 < found.year < 9999 else None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
