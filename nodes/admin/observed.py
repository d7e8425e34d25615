"""Admin of rows that looks at servers write: shown, searched, and forgotten only once they have vanished."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from vnetpanel.long_list import LongListAdmin


class PresenceFilter(admin.SimpleListFilter):
    """Present on the server, or vanished from it; without a choice only what is present."""

    title = "presence"
    parameter_name = "presence"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("vanished", "Vanished"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "Present",
        }
        yield from list(super().choices(changelist))[1:]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        match self.value():
            case "vanished":
                return queryset.exclude(gone_at=None)
            case "all":
                return queryset
        return queryset.filter(gone_at=None)


class ObservedAdmin(LongListAdmin):
    """Rows come from looks: no adding, no changing but of `editable`, deleting only of what has vanished."""

    editable: tuple[str, ...] = ()
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.gone_at is not None)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = [field.name for field in self.model._meta.fields if field.name != "id"]
        return tuple(name for name in fields if name not in self.editable)


class ObservedInline(admin.TabularInline):
    """Rows of a look inside their parent's page: shown only."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
