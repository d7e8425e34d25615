"""A choice that stays what it is, though whoever fills in the form may not choose it, nor know its name."""

from __future__ import annotations

from typing import Any

from django import forms


class StayingChoiceField(forms.ModelChoiceField):
    """A choice of rows that a user may choose, and of the one that is chosen now."""

    _staying: tuple[Any, str] = (None, "")

    def let_stay(self, row: Any, words: str) -> None:
        """Add the row that is chosen now to the choices, called `words`."""
        self.queryset = self.queryset | row._meta.model.objects.filter(pk=row.pk)
        self._staying = (row.pk, words)

    def label_from_instance(self, obj: Any) -> str:
        staying, words = self._staying
        return words if obj.pk == staying else str(obj)
