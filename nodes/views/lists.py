"""What all lists share: a filtered page of a table, as HTML or CSV, and the interfaces of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import django_tables2 as tables
from django.core.paginator import EmptyPage, Page
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django_tables2 import LazyPaginator, RequestConfig
from django_tables2.data import TableQuerysetData

from nodes.models import Container, ContainerInterface
from nodes.views.columns import columns_chosen
from vnetpanel.csv_file import csv_response

PER_PAGE = 50


class BoundedPaginator(LazyPaginator):
    """Counts nothing, but for a page too far, and takes no number that the database would refuse."""

    def __init__(self, rows: Any, per_page: Any, **how: Any) -> None:
        """All pages have one length: django_tables2 would take any from the page's address."""
        super().__init__(rows, PER_PAGE, **how)

    def page(self, number: Any) -> Page:
        """The page of that number; of one too far, the last."""
        try:
            return super().page(number)
        except EmptyPage:
            rows = len(self.object_list)
            return super().page(max(1, -(-rows // self.per_page)))

    def validate_number(self, number: Any) -> int:
        """The page's number; of absurd ones, one that no list reaches."""
        return min(super().validate_number(number), 1_000_000)


class KeysFirst(TableQuerysetData):
    """Rows of a table of which a page's keys are found before what its rows show is read, in one query.

    Else what a row counts is counted for each row before the page too, and what it joins is joined. What one
    query tells of all rows shown better than each row's own part of it, `complete` adds to them.
    """

    def __init__(self, data: QuerySet[Any], complete: Callable[[Sequence[Any]], None] | None = None) -> None:
        super().__init__(data)
        self.complete = complete

    def __getitem__(self, key: Any) -> Any:
        """The rows of a slice, in its order; or one row."""
        if not isinstance(key, slice):
            return super().__getitem__(key)
        # Rows that are equal in what they are sorted by must not be on two pages, or on none.
        rows = self.data.order_by(*self.data.query.order_by or self.data.model._meta.ordering, "pk")
        return self._completed(rows.filter(pk__in=rows.values("pk")[key]))

    def __iter__(self) -> Iterator[Any]:
        """All rows, for a file."""
        return iter(self._completed(self.data))

    def _completed(self, rows: QuerySet[Any]) -> Iterable[Any]:
        if self.complete:
            self.complete(list(rows))
        return rows


def text_filter(request: HttpRequest) -> str:
    """The text of the list's filter box, bounded."""
    return request.GET.get("q", "").replace("\0", "").strip()[:100]


def matching(rows: QuerySet[Any], text: str, *columns: str) -> QuerySet[Any]:
    """Rows with the text in one of the columns; all for no text."""
    if not text:
        return rows
    condition = Q()
    for column in columns:
        condition |= Q(**{f"{column}__icontains": text})
    return rows.filter(condition)


def paged(request: HttpRequest, table: tables.Table) -> tables.Table:
    """The table, sorted and cut to the page that was asked for; a page too far is the last.

    Nothing is counted: that costs more than the page itself, and more the longer the list is.
    """
    pages = {"silent": True, "paginator_class": BoundedPaginator}
    RequestConfig(request, paginate=pages).configure(table)
    return table


def answered(request: HttpRequest, table: tables.Table, name: str) -> HttpResponseBase | None:
    """What a list answers other than its page: its CSV file, or the way back after columns were chosen."""
    return as_csv(request, table, name) or columns_chosen(request, table)


def as_csv(request: HttpRequest, table: tables.Table, name: str) -> StreamingHttpResponse | None:
    """The whole table as a CSV file, if that was asked for (?format=csv)."""
    if request.GET.get("format") != "csv":
        return None
    return csv_response(name, table.as_values())


def with_interfaces(containers: QuerySet[Container]) -> KeysFirst:
    """The containers with their present interfaces and networks: one more query for a page."""
    interfaces = (
        ContainerInterface.objects.filter(gone_at=None)
        .select_related("membership__network", "bridge")
        .order_by("ifname")
    )
    return KeysFirst(
        containers.select_related("server").prefetch_related(
            Prefetch("interfaces", queryset=interfaces, to_attr="interfaces_shown")
        )
    )
