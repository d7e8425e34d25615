"""Searching the long lists of the administration."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from nodes.trigram_tables import holders
from vnetpanel.panel_admin import PanelAdmin


class TrigramSearch(PanelAdmin):
    """What hardly any row has is found without reading all of them, as the panel's own search finds it.

    All `search_fields` are columns that nodes/trigram_tables.py knows. Where that says nothing, Django reads.
    """

    searched_parent = ""
    """The foreign key over which some of the search fields lead."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        # Whatever is quoted in there, each such piece is in all rows that are found.
        pieces = re.findall(r"[^\s\"'\\]+", search_term)
        keys = holders(max(pieces, key=len, default=""))
        parent: Any = self.opts.get_field(self.searched_parent).related_model
        own, others = keys.get(self.opts.db_table), keys.get(parent._meta.db_table)
        if own is not None and others is not None:
            queryset = queryset.filter(Q(pk__in=own) | Q(**{f"{self.searched_parent}__in": others}))
        return super().get_search_results(request, queryset, search_term)
