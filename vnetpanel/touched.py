"""Forms of what exists already: they may be open while others decide about it, and store what was touched."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html


class Touched(forms.BaseForm):
    """A form that knows what was touched in it: its page sends along what it showed."""

    is_compared = False

    def compare_with_shown(self) -> None:
        """To be called once the choices are known, for what exists already."""
        self.is_compared = True
        # Posted by hand without any of it: what is so now is all there is to compare with. A list of many
        # values that was empty sends nothing along, so the others say whose page it is.
        was_shown = not self.is_bound or any(
            self.add_initial_prefix(name) in self.data for name in self.fields
        )
        for name, field in self.fields.items():
            field.show_hidden_initial = was_shown and self.is_stored(name)
            self._say_what_is_wrong(name, field)
            if isinstance(field, forms.ModelChoiceField) and not isinstance(
                field, forms.ModelMultipleChoiceField
            ):
                self._keep_what_is_so(name, field)

    def is_stored(self, name: str) -> bool:
        """Whether a field shows what is stored: what it showed is then sent along."""
        return True

    def full_clean(self) -> None:
        """What was left as it was shown is not stored, and so not judged by the rules of today."""
        if self.is_bound and self.is_compared:
            for name in self.fields.keys() - set(self.changed_data):
                self.fields[name].validators = []
        super().full_clean()

    def _say_what_is_wrong(self, name: str, field: forms.Field) -> None:
        """Beside the field: what it shows may be from before the rule, no reason to refuse the rest."""
        try:
            field.run_validators(self.get_initial_for_field(field, name))
        except ValidationError as error:
            # Names are in there, and the administration takes help for HTML.
            field.help_text = format_html("{} {}", field.help_text, " ".join(error.messages))

    def _keep_what_is_so(self, name: str, field: Any) -> None:
        """What is so now is a choice for whoever changes the rest, and chosen where nothing was touched.

        What was shown may be none any more: "Prepare server" removes the former login if it is told to.
        Whoever left that chosen would be refused, by a list that has "None" chosen instead, which the next
        click would store.
        """
        now = field.prepare_value(self.get_initial_for_field(field, name))
        now = "" if now is None else str(now)
        if now:
            field.queryset = field.queryset | field.queryset.model._default_manager.filter(pk=now)
        key, shown = self.add_prefix(name), self.add_initial_prefix(name)
        if self.is_bound and field.show_hidden_initial and self.data.get(key) == self.data.get(shown) != now:
            data = self.data.copy()  # type: ignore[attr-defined]
            data[key] = data[shown] = now
            self.data = data


class TouchedForm(Touched, forms.Form):
    """Such a form of no model's own."""

    def changes(self) -> dict[str, Any]:
        """What was touched, and is to be stored."""
        return {name: self.cleaned_data[name] for name in self.changed_data}
