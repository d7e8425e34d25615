"""Lists of the administration that cost the same for fifty rows and for a hundred thousand.

Django counts all rows of a list for each of its pages, and joins what the rows show before it skips those of
the pages before. Here a list that has more rows than anybody pages through is not counted, and the keys of a
page's rows are found before what they show is read.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, ChangeList
from django.db.models import IntegerField, QuerySet, Subquery
from django.http import HttpRequest

from vnetpanel.panel_admin import PanelAdmin

COUNTED = 1_000
"""A list of more rows says no number."""

FARTHEST_PAGE = 1_000_000
"""No list reaches it, and no database refuses to skip as many rows."""


class NumberOf(Subquery):
    """How many rows a query has, read along with other rows instead of in a query more."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


class LongChangeList(ChangeList):
    """A page of a list: numbered pages as Django has them, or "Previous" and "Next" where nothing is counted.

    A page too far is the last. Only then all rows are counted.
    """

    is_long = False
    has_next = False
    number_at_least = f"more than {COUNTED:,}"

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """The rows of all pages, each once, without DISTINCT: that covers what they are sorted by, too."""
        rows = super().get_queryset(request, exclude_parameters)
        if not rows.query.distinct:
            return rows
        return self._shown(rows.order_by().values("pk"), rows)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """The order asked for; Django takes one also where `sortable_by` offers none."""
        if not self.sortable_by:
            self.params.pop(ORDER_VAR, None)
            self.filter_params.pop(ORDER_VAR, None)
        return super().get_ordering(request, queryset)

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, and as much of the numbers about the list as is known."""
        self.page_num = min(max(self.page_num, 1), FARTHEST_PAGE)
        rows = list(self._page())
        if not rows and self.page_num > 1:
            self.page_num = max(1, -(-self.queryset.order_by().count() // self.list_per_page))
            rows = list(self._page())
        number = rows[0].number_counted if rows else 0
        if number > COUNTED:
            self._leave_uncounted(request, rows)
        else:
            self._number(request, rows, number)

    @property
    def previous_url(self) -> str:
        """The page before; empty on the first."""
        return self.get_query_string({PAGE_VAR: self.page_num - 1}) if self.page_num > 1 else ""

    @property
    def next_url(self) -> str:
        """The page after; empty on the last, and where pages are numbered."""
        return self.get_query_string({PAGE_VAR: self.page_num + 1}) if self.has_next else ""

    def _page(self) -> QuerySet[Any]:
        """The rows of the page and one more, which tells of a next page; each says how many are counted."""
        first = (self.page_num - 1) * self.list_per_page
        counted = NumberOf(self.queryset.values("pk").order_by()[: COUNTED + 1])
        page = self._shown(self.keys(first, self.list_per_page + 1), self.queryset)
        return page.annotate(number_counted=counted)

    def keys(self, first: int, number: int) -> QuerySet[Any]:
        """So many keys of the list, after the first ones, as a subquery."""
        return self.queryset.values("pk")[first : first + number]

    def _shown(self, keys: QuerySet[Any], like: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the keys with what they show, in the order of the other ones.

        What narrows the list is in the keys already: repeated here, it may lead the database to an index of
        everything instead of the few keys.
        """
        rows = self.root_queryset.filter(pk__in=keys).order_by(*like.query.order_by)
        return rows if rows.query.select_related else self.apply_select_related(rows)

    def _number(self, request: HttpRequest, rows: list[Any], number: int) -> None:
        """What Django tells of a list that it has counted."""
        is_narrowed = bool(self.query or self.get_filters_params())
        self._tell(request, number, None if is_narrowed else number)
        self.can_show_all = number <= self.list_max_show_all
        self.multi_page = number > self.list_per_page
        whole = self.multi_page and self.show_all and self.can_show_all
        self.result_list = self.queryset if whole else rows[: self.list_per_page]

    def _leave_uncounted(self, request: HttpRequest, rows: list[Any]) -> None:
        """The page and whether there is a next one.

        The list has as many rows as the page for whoever asks, so that nobody offers to select all of them.
        """
        self.is_long = True
        self.has_next = len(rows) > self.list_per_page
        self.result_list = rows[: self.list_per_page]
        self._tell(request, len(self.result_list), len(self.result_list))
        self.can_show_all = False
        # Django would number the pages.
        self.multi_page = False

    def _tell(self, request: HttpRequest, number: int, all_in_all: int | None) -> None:
        self.result_count = number
        self.full_result_count = all_in_all
        self.show_full_result_count = False
        self.show_admin_actions = number > 0
        # What it counts is counted already.
        rows: Any = range(number)
        self.paginator = self.model_admin.get_paginator(request, rows, self.list_per_page)


class LongListAdmin(PanelAdmin):
    """Admin of what grows with the installation."""

    show_full_result_count = False
    # Each count of a filter's choice is one of everything.
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LongChangeList
