"""Pages of the administration that may be open while others decide: they store what was touched, no more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from vnetpanel.panel_admin import PanelAdmin, PanelPart
from vnetpanel.touched import Touched


class _TouchedModelForm(Touched, forms.ModelForm):
    """The form of a row that exists."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding or any(
            self.add_initial_prefix(name) in self.data for name in self.fields
        ):
            self.compare_with_shown()

    def is_stored(self, name: str) -> bool:
        """Not what is disabled, nor secrets, which are only written: the field of a password has its hash."""
        return not self.fields[name].disabled and name in self._columns | self._relations

    def touched_columns(self) -> list[str]:
        """Columns of the row that were touched."""
        return [name for name in self.changed_data if name in self._columns]

    def has_touched_what_was_shown(self) -> bool:
        return any(self.fields[name].show_hidden_initial for name in self.changed_data)

    def save(self, commit: bool = True) -> Any:
        """Looks write their columns of the same row meanwhile, so the rest is left alone."""
        if not commit or self.instance._state.adding:
            return super().save(commit)
        super().save(commit=False)
        self.instance.save(update_fields=self.touched_columns())
        self.save_m2m()
        return self.instance

    @property
    def _columns(self) -> set[str]:
        return {field.name for field in self.instance._meta.concrete_fields if not field.primary_key}

    @property
    def _relations(self) -> set[str]:
        return {field.name for field in self.instance._meta.many_to_many}

    def _post_clean(self) -> None:
        """All rules are asked about the row as it will be: with what is so now where nothing was touched."""
        if self.is_compared:
            for name in self.cleaned_data.keys() & self._relations:
                self._add_and_take_away(name)
            for name in self.cleaned_data.keys() & self._columns - set(self.changed_data):
                if not self.instance._meta.get_field(name).is_relation:
                    self.cleaned_data[name] = getattr(self.instance, name)
        super()._post_clean()  # type: ignore[misc]

    def _add_and_take_away(self, name: str) -> None:
        """Of many values, such as permissions, those are given and taken away that were touched."""
        if name not in self.changed_data:
            del self.cleaned_data[name]
        elif self.fields[name].show_hidden_initial:
            hidden = self.fields[name].hidden_widget()
            shown = set(hidden.value_from_datadict(self.data, self.files, self.add_initial_prefix(name)))
            chosen = {str(row.pk) for row in self.cleaned_data[name]}
            now = {str(row.pk) for row in getattr(self.instance, name).all()}
            self.cleaned_data[name] = list((now | chosen - shown) - (shown - chosen))


def _of_what_exists(form: Any) -> Any:
    return type(form.__name__, (_TouchedModelForm, form), {})


class TouchedAdmin(PanelAdmin):
    """Changes of existing rows touch only the columns that the person changed."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return _of_what_exists(form) if change else form

    def columns_touched(self, form: Any) -> list[str]:
        """Columns that are written for what was touched in the form."""
        return form.touched_columns()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=self.columns_touched(form))
        else:
            super().save_model(request, obj, form, change)


class _TouchedFormSet(BaseInlineFormSet):
    """The rows of a page without those that others removed meanwhile: they stay removed."""

    gone: Sequence[Any] = ()

    @cached_property
    def forms(self) -> list[Any]:
        forms = super().forms
        if self.is_bound:
            existing = forms[: self.initial_form_count()]
            self.gone = [form for form in existing if form.instance._state.adding]
        return [form for form in forms if form not in self.gone]

    def initial_form_count(self) -> int:
        return super().initial_form_count() - len(self.gone)

    def clean(self) -> None:
        """Whoever changed something about one that is gone is told so."""
        super().clean()
        if any(form.has_touched_what_was_shown() for form in self.gone):
            raise ValidationError("What you changed in one of these was removed meanwhile by somebody else.")


class TouchedInline(PanelPart, admin.TabularInline):
    """The same of rows inside the page of what they belong to."""

    formset = _TouchedFormSet

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, form=_of_what_exists(self.form), **kwargs)
