"""The audit trail: filtered, paged, saved as CSV. Who may not read all of it reads her own lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from trust.models import Entry
from trust.querying import Filters, keys_of_whole_trail
from vnetpanel.csv_file import csv_response
from vnetpanel.numbers import number

PER_PAGE = 50
HEADINGS = ("Number", "When", "Who", "From", "Action", "What", "Servers", "Result", "Digest")


def _visible(request: HttpRequest) -> QuerySet[Entry]:
    """All lines for superusers and auditors (the permission "can view audit line"); else one's own."""
    if request.user.has_perm("trust.view_entry"):
        return Entry.objects.all()
    return Entry.objects.filter(actor_key=request.user.pk or 0)


@require_safe
def trail(request: HttpRequest) -> HttpResponseBase:
    """Lines of the trail, newest first."""
    filters = Filters.of(request.GET)
    sees_all = request.user.has_perm("trust.view_entry")
    rows = filters.applied_to(_visible(request))
    if request.GET.get("format") == "csv":
        return csv_response("audit", _csv_rows(rows))
    page = _page_number(request.GET.get("page"))
    first = (page - 1) * PER_PAGE
    # Keys first (ADR 23): what a page does not show is skipped in an index, or not read at all.
    is_whole = sees_all and not filters.given()
    most = PER_PAGE + 1
    keys: Any = keys_of_whole_trail(first, most) if is_whole else rows.values("pk")[first : first + most]
    found = list(Entry.objects.defer("plan").filter(pk__in=keys))
    context = {
        "lines": found[:PER_PAGE],
        "filters": filters,
        "query": urlencode(filters.given()),
        "newer": page - 1 if page > 1 else None,
        "older": page + 1 if len(found) > PER_PAGE else None,
        "sees_all": sees_all,
    }
    return render(request, "trust/audit.html", context)


@require_safe
def line(request: HttpRequest, number: int) -> HttpResponse:
    """One line with its plan and its digests."""
    entry = get_object_or_404(_visible(request), pk=number)
    return render(request, "trust/audit_line.html", {"line": entry})


def _page_number(text: str | None) -> int:
    return min(number(text or "") or 1, 100_000)


def _csv_rows(rows: QuerySet[Entry]) -> Iterator[tuple[Any, ...]]:
    yield HEADINGS
    for entry in rows.defer("plan").iterator(chunk_size=500):
        yield (
            entry.number, entry.at.isoformat(timespec="seconds"), entry.actor or "the panel", entry.address,
            entry.action, entry.text, ", ".join(entry.server_names), entry.result, entry.digest,
        )  # fmt: skip
