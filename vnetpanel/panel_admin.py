"""What every page of the administration makes of keys that a browser sends: anybody can send anything."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import BaseModelAdmin, IncorrectLookupParameters
from django.contrib.admin.widgets import AutocompleteSelect
from django.db import DataError
from django.db.models import QuerySet
from django.http import HttpRequest

from vnetpanel.numbers import is_number


class _ChosenByKey(AutocompleteSelect):
    """A row that is searched for; a key that names none chooses none."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        return super().optgroups(name, [key for key in value if is_number(key)], attr)


class PanelPart(BaseModelAdmin):
    """Forms of the administration, those inside a page included."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = _ChosenByKey(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class PanelAdmin(PanelPart, admin.ModelAdmin):
    """Lists of the administration and their pages."""

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> Any:
        if all(map(is_number, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            return super().response_action(request, queryset, *args)
        self.message_user(request, "What was selected does not exist.", messages.WARNING)
        return None

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Filters may name what no database takes."""
        try:
            return super().get_changelist_instance(request)
        except (OverflowError, DataError) as error:
            raise IncorrectLookupParameters(str(error)) from error

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """PostgreSQL refuses NUL in any text."""
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))
