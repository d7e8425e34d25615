"""What a choice is called that stays what it is, though whoever fills in the form may not know its name."""

from __future__ import annotations

from typing import Any

from django import forms


class StayingChoiceField(forms.ModelChoiceField):
    """Rows that a user may choose; the one that is chosen now stays one (vnetpanel.touched.Touched)."""

    _staying: tuple[Any, str] = (None, "")

    def call(self, row: Any, words: str) -> None:
        """Have the row that is chosen now called `words`."""
        self._staying = (row.pk, words)

    def label_from_instance(self, obj: Any) -> str:
        staying, words = self._staying
        return words if obj.pk == staying else str(obj)
