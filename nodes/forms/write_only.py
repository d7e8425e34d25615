"""A widget for secrets that are longer than a line."""

from __future__ import annotations

from typing import Any

from django import forms


class WriteOnlyTextarea(forms.Textarea):
    """A text area that never shows a value, not even the one just typed into a form with another mistake."""

    def format_value(self, value: Any) -> str:
        return ""
