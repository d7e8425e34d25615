"""Groups of the Problems page: standing problems by their cause, the first few of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Min, QuerySet, Window
from django.db.models.functions import RowNumber
from django.urls import reverse

from networks.models import Change, StandingProblem
from networks.problem_causes import Cause, cause_of, mend_link, rank, subject_link
from networks.services.mend import may_be_mended
from nodes.choices import Role
from nodes.querysets import AnyUser, group_paths

FIRST = 3
"""So many problems of one cause are listed before the page offers all of them."""

MOST_LINKS = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One problem with its links."""

    problem: StandingProblem
    links: tuple[tuple[str, str], ...]
    more_links: int
    mend: str
    button: str
    """The words on the way to `mend`."""
    ways: str
    """Address of the ready drafts that may mend it, "" if there are none for its cause."""


@dataclass(frozen=True, slots=True)
class Group:
    """Problems of one cause: how many there are, since when, and those that are listed."""

    code: str
    cause: Cause
    count: int
    since: Any
    rows: tuple[Row, ...]

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


def grouped_by_cause(problems: QuerySet[StandingProblem], user: AnyUser) -> list[Group]:
    """Every cause with its first problems, what cuts off first. Two queries, and that of their rows."""
    counts = problems.order_by().values("cause").annotate(n=Count("pk"), since=Min("first_seen_at"))
    place = Window(RowNumber(), partition_by=F("cause"), order_by=(F("first_seen_at").desc(), F("pk").asc()))
    first = problems.annotate(place=place).filter(place__lte=FIRST)
    rows: dict[str, list[Row]] = {}
    for row in rows_of(first, user):
        rows.setdefault(row.problem.cause, []).append(row)
    return [
        Group(
            found["cause"],
            cause_of(found["cause"]),
            found["n"],
            found["since"],
            tuple(rows.get(found["cause"], ())),
        )
        for found in sorted(counts, key=lambda found: rank(found["cause"]))
    ]


def rows_of(problems: Iterable[StandingProblem], user: AnyUser) -> list[Row]:
    """The problems with their links: to what they are about, and to where they are mended.

    None leads to what the user may not see or use. One query where Changes are among them.
    """
    problems = list(problems)
    changes = {
        subject["change"] for problem in problems for subject in problem.subjects if "change" in subject
    }
    told = Change.objects.visible_to(user).filter(pk__in=changes).values_list("pk", flat=True)
    told_of = {str(pk) for pk in told} if changes else set()
    may_configure = getattr(user, "is_superuser", False) or bool(group_paths(user, Role.OPERATOR))
    return [_row(problem, told_of, may_configure) for problem in problems]


def _row(problem: StandingProblem, told_of: Collection[str], may_configure: bool) -> Row:
    subjects = [s for s in problem.subjects if "change" not in s or s["change"] in told_of]
    found = (subject_link(subject) for subject in subjects)
    links = list(dict.fromkeys(link for link in found if link and link[1]))
    shown = tuple(links[:MOST_LINKS])
    ways = reverse("networks:problem", args=[problem.pk]) if may_be_mended(problem) else ""
    mend, button = mend_link(problem.cause, subjects, may_configure)
    return Row(problem, shown, len(links) - len(shown), mend, button, ways)
