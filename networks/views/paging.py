"""Pages of lists that are no tables: forward and back, nothing counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Pages:
    """Links to the page before and after, "" where there is none."""

    number: int
    before: str
    after: str


def page_number(request: HttpRequest, name: str) -> int:
    """The page asked for, at least 1 and not absurd."""
    text = request.GET.get(name, "")
    return min(max(int(text), 1), 100_000) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def pages(request: HttpRequest, name: str, has_more: bool, anchor: str = "") -> Pages:
    """Links that keep everything else of the address as it is."""
    number = page_number(request, name)

    def to(page: int) -> str:
        query = request.GET.copy()
        query[name] = str(page)
        return f"?{query.urlencode()}{anchor}"

    return Pages(number, to(number - 1) if number > 1 else "", to(number + 1) if has_more else "")


@dataclass(frozen=True, slots=True)
class SortLink:
    """A heading that sorts its list: where it leads, and how the list is sorted by it now ("" if not)."""

    href: str
    now: str


def sort_links(
    request: HttpRequest, name: str, keys: Iterable[str], page: str, anchor: str = ""
) -> dict[str, SortLink]:
    """A link for each key; asked for again, the other way round. `page` is left out: it begins anew."""
    asked = request.GET.get(name, "")
    links = {}
    for key in keys:
        query = request.GET.copy()
        query[name] = f"-{key}" if asked == key else key
        query.pop(page, None)
        now = "ascending" if asked == key else "descending" if asked == f"-{key}" else ""
        links[key] = SortLink(f"?{query.urlencode()}{anchor}", now)
    return links
