"""The audit trail for reading, and the second factors of users who lost theirs for taking away."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from trust.models import Entry, TwoFactor


class _Fixed(admin.ModelAdmin):
    """Rows that nobody makes or changes by hand."""

    show_facets = admin.ShowFacets.NEVER

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Entry)
class EntryAdmin(_Fixed):
    """Lines of the trail."""

    list_display = ("number", "at", "actor", "address", "action", "text")
    list_filter = ("action",)
    search_fields = ("text", "actor", "servers")
    ordering = ("-number",)
    list_per_page = 50
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TwoFactor)
class TwoFactorAdmin(_Fixed):
    """Who has a second factor. Deleting one lets its user in with the password alone, to set up another."""

    list_display = ("user", "confirmed_at")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = readonly_fields = ("user", "confirmed_at")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Recovery codes go with it, although nobody may delete one by itself."""
        deleted, counts, needed, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, needed - {"recovery code"}, protected
