"""Which columns a list shows: chosen by a small form, kept by the browser in a cookie for each kind of list.

The form is a plain GET, so it works without JavaScript; its answer stores the choice and leads back.
"""

from __future__ import annotations

from dataclasses import dataclass

import django_tables2 as tables
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

COOKIE = "vnetpanel_columns_"
A_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """A column that may be shown or hidden."""

    name: str
    label: str
    is_shown: bool


def columns_chosen(request: HttpRequest, table: tables.Table) -> HttpResponse | None:
    """Hide what this browser does not want to see of the table, or store the choice that was just made.

    The first column says what a row is and stays, as do columns without a heading (buttons). The choices are
    put on the table as `column_choices`, its name as `columns_kind`, what the address says besides as
    `kept_parameters`. An answer is a redirect to the list.
    """
    kind = type(table).__name__.removesuffix("Table").lower()
    _, *others = [column for column in table.columns.iterall() if column.name not in hidden_here(table)]
    names = [column.name for column in others if column.header]
    if request.GET.get("columns") == kind:
        return _stored(request, kind, [name for name in names if name not in request.GET.getlist("show")])
    hidden = set(request.COOKIES.get(COOKIE + kind, "").split(".")) & set(names)
    for name in hidden | set(hidden_here(table)):
        table.columns.hide(name)
    table.columns_kind = kind
    # All that the list is filtered and sorted by; a page's number would be another page with other columns.
    table.kept_parameters = [
        (name, value)
        for name, values in request.GET.lists()
        if name not in ("columns", "show", "page")
        # Once each: forms of pages about the past have `as_of` added to them as well.
        for value in dict.fromkeys(values)
    ]
    table.column_choices = [
        ColumnChoice(column.name, str(column.header), column.name not in hidden)
        for column in others
        if column.name in names
    ]
    return None


def hidden_here(table: tables.Table) -> tuple[str, ...]:
    """Columns that say nothing on this page, such as the server on the server's own page."""
    return tuple(getattr(table, "hidden_here", ()))


def _stored(request: HttpRequest, kind: str, hidden: list[str]) -> HttpResponse:
    query = request.GET.copy()
    for name in ("columns", "show"):
        query.pop(name, None)
    response = HttpResponseRedirect(f"{request.path}?{query.urlencode()}" if query else request.path)
    response.set_cookie(
        COOKIE + kind,
        ".".join(hidden),
        max_age=A_YEAR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
