"""The forms of a page as a browser has them: where each posts to, and what its fields hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

TEXT = {"text", "search", "email", "url", "number", "password", "tel", "hidden", "date", "time", ""}


@dataclass
class Form:
    """`fields` are what would be posted untouched; `typed` the names that a person can type into."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.forms: list[Form] = []
        self.select = ""

    @property
    def form(self) -> Form | None:
        return self.forms[-1] if self.forms else None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.forms.append(Form(given.get("action") or self.page, given.get("method", "get").lower()))
        elif self.form is None or ((not name or "disabled" in given) and tag != "option"):
            return
        elif tag == "button" and given.get("type") == "submit":
            # As Enter does: the first button.
            self.form.fields.setdefault(name, given.get("value", ""))
        elif tag == "textarea":
            self.form.fields[name] = ""
            self.form.typed.append(name)
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select:
            if "selected" in given or (given.get("value") and not self.form.fields.get(self.select)):
                self.form.fields[self.select] = given.get("value", "")
        elif tag == "input" and given.get("type", "") in TEXT:
            self.form.fields[name] = given.get("value", "")
            if given.get("type") != "hidden":
                self.form.typed.append(name)
        elif tag == "input" and "checked" in given:
            self.form.fields[name] = given.get("value", "on")
        elif tag == "input" and given.get("type") == "radio":
            self.form.fields.setdefault(name, given.get("value", "on"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = ""


def posting_forms(page: str, text: str) -> list[Form]:
    """Forms of the page that post and have something to type into."""
    reader = _Reader(page)
    reader.feed(text)
    return [form for form in reader.forms if form.method == "post" and form.typed]
