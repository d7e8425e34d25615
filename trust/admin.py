"""The audit trail for reading, second factors for taking away from who lost hers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest

from trust.models import Entry, TwoFactor
from trust.proved_admin import ProvedAdmin
from trust.querying import keys_of_whole_trail
from vnetpanel.long_list import LongChangeList, LongListAdmin


class _Fixed(admin.ModelAdmin):
    """Rows that nobody makes or changes by hand."""

    show_facets = admin.ShowFacets.NEVER

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


# From each action to the next one in their index: DISTINCT may read all lines of the trail.
ACTIONS = """
WITH RECURSIVE known(action) AS (
    SELECT MIN(action) FROM trust_entry WHERE action <> ''
    UNION ALL
    SELECT (SELECT MIN(action) FROM trust_entry WHERE action > known.action)
    FROM known WHERE known.action IS NOT NULL
)
SELECT action FROM known WHERE action IS NOT NULL
"""


class ActionFilter(admin.SimpleListFilter):
    """What was done, of all that ever was."""

    title = parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(ACTIONS)
            return [(action, action) for (action,) in cursor.fetchall()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class TrailList(LongChangeList):
    """The trail, by its numbers where nothing narrows it."""

    def keys(self, first: int, number: int) -> QuerySet[Any]:
        if self.query or self.get_filters_params():
            return super().keys(first, number)
        return keys_of_whole_trail(first, number)


@admin.register(Entry)
class EntryAdmin(LongListAdmin, _Fixed):
    """Lines of the trail, newest first; not sorted by columns: each page would sort the whole trail."""

    list_display = ("number", "at", "actor", "address", "action", "text")
    list_filter = (ActionFilter,)
    search_fields = ("text", "actor", "servers")
    ordering = ("-number",)
    sortable_by = ()
    list_per_page = 50

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TrailList]:
        return TrailList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the plans, of which a list shows none and one may be long."""
        return super().get_queryset(request).defer("plan")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TwoFactor)
class TwoFactorAdmin(ProvedAdmin, _Fixed):
    """Who has a second factor. Deleting one lets its user in with the password alone, to set up another."""

    list_display = ("user", "confirmed_at")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = readonly_fields = ("user", "confirmed_at")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Recovery codes go with it, although nobody may delete one by itself."""
        deleted, counts, needed, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, needed - {"recovery code"}, protected
