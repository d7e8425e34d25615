"""Pages of the administration that may be open while others decide: they store what was touched, no more."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest


class _TouchedModelForm(forms.ModelForm):
    """The form of a row that exists: its page sends along what it showed, as nodes.forms.touched does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A list of many values that was empty sends nothing along, so the others say whose page it is. Posted
        # by hand without any: what is so now is all there is to compare with.
        compares = not self.is_bound or any(
            self.add_initial_prefix(name) in self.data for name in self.fields
        )
        for field in self.fields.values():
            # A disabled one is never stored, and the one of the password would show its hash.
            field.show_hidden_initial = compares and not field.disabled

    def _post_clean(self) -> None:
        # What is not in cleaned_data stays in the row as it was read a moment ago: all rules are then asked
        # about the row as it will be.
        for name in set(self.cleaned_data) - set(self.changed_data):
            del self.cleaned_data[name]
        super()._post_clean()  # type: ignore[misc]


class TouchedAdmin(admin.ModelAdmin):
    """Changes of existing rows touch only the columns that the person changed."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (_TouchedModelForm, form), {}) if change else form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Looks write their columns of the same row meanwhile, so the rest is left alone."""
        if not change:
            return super().save_model(request, obj, form, change)
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=[name for name in form.changed_data if name in columns])
        return None
