"""Forms of what exists already: they may be open while others decide about it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError


class TouchedForm(forms.Form):
    """A form that knows what was touched in it: its page sends along what it showed."""

    def compare_with_shown(self) -> None:
        """To be called once the choices are known, for what exists already."""
        for name, field in self.fields.items():
            # Posted by hand without it: what is so now is all there is to compare with.
            field.show_hidden_initial = not self.is_bound or self.add_initial_prefix(name) in self.data
        if self.is_bound:
            self._replace_gone_choices()

    def changes(self) -> dict[str, Any]:
        """What was touched, and is to be stored."""
        return {name: self.cleaned_data[name] for name in self.changed_data}

    def _replace_gone_choices(self) -> None:
        """Put what is so now where a choice was not touched and cannot be made any more.

        "Prepare server" removes the former login if it is told to. Whoever left that login chosen would be
        refused, by a list that has "None" chosen instead, which the next click would store.
        """
        data = self.data.copy()  # type: ignore[attr-defined]
        for name, field in self.fields.items():
            key, shown = self.add_prefix(name), self.add_initial_prefix(name)
            if not (isinstance(field, forms.ModelChoiceField) and field.show_hidden_initial):
                continue
            if data.get(key) != data[shown]:
                continue
            try:
                field.clean(data.get(key))
            except ValidationError:
                data[key] = data[shown] = field.prepare_value(self.get_initial_for_field(field, name))
        self.data = data
