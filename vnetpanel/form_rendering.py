"""Forms in Tabler's look, for every `{{ form }}` and `{{ form.field.as_field_group }}`."""

from __future__ import annotations

from typing import Any

from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest

CSS_OF_INPUT = {
    "checkbox": "form-check-input",
    "radio": "form-check-input",
    "color": "form-control form-control-color",
    "hidden": "",
    "submit": "",
}


class PanelRenderer(TemplatesSetting):
    """Django's own form templates, with a field template and the classes that Tabler styles controls by."""

    form_template_name = "inc/form.html"
    field_template_name = "inc/field.html"

    def render(self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None) -> str:
        """Render one widget, field or form; a control without a class is given its usual one."""
        widget = context.get("widget")
        if widget is not None and widget.get("type") == "hidden":
            # Django ties what a field showed first to its help, too; HTML allows no aria-* on hidden inputs.
            widget["attrs"].pop("aria-describedby", None)
        if widget is not None and (css := self.css(template_name, widget)):
            given = widget["attrs"].get("class", "")
            widget["attrs"]["class"] = f"{css} {given}".strip()
            if widget["attrs"].get("aria-invalid"):
                widget["attrs"]["class"] += " is-invalid"
        return super().render(template_name, context, request)

    def css(self, template_name: str, widget: dict[str, Any]) -> str:
        """The class of a control by its template and its type."""
        if template_name.endswith(("/select.html", "/select_date.html")):
            return "form-select"
        if "type" in widget:
            return CSS_OF_INPUT.get(widget["type"], "form-control")
        return "form-control" if template_name.endswith("/textarea.html") else ""
