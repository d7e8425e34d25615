"""Pages of lists that are no tables, by number or by key: forward and back, nothing counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from networks.keyset import BEGINNING, KeyPage, Place

BEFORE, AFTER = "before", "after"
"""In an address: the position that a page by key ends before or begins after, value by value."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Links to the page before and after, "" where there is none.

    Pages by key have no number (0), but the way back to the first.
    """

    number: int
    before: str
    after: str
    first: str = ""


def text_of(request: HttpRequest, name: str) -> str:
    """A text of the address, bounded; PostgreSQL refuses NUL."""
    return request.GET.get(name, "").replace("\0", "").strip()[:100]


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


def place(request: HttpRequest) -> Place:
    """Where a page by key is to begin or end; whether there is such a place, the list knows."""
    before, after = (tuple(request.GET.getlist(name)) for name in (BEFORE, AFTER))
    return Place(after) if after else Place(before, backwards=bool(before))


def key_pages(request: HttpRequest, page: KeyPage[Any], anchor: str = "") -> Pages:
    """Links that keep everything else of the address as it is; the first page's where it is not this one."""

    def to(place: Place | None) -> str:
        if place is None:
            return ""
        query = request.GET.copy()
        for name in (BEFORE, AFTER):
            query.pop(name, None)
        if place.position:
            query.setlist(BEFORE if place.backwards else AFTER, list(place.position))
        return f"?{query.urlencode()}{anchor}"

    return Pages(0, to(page.before), to(page.after), to(page.before and BEGINNING))


@dataclass(frozen=True, slots=True)
class SortLink:
    """A heading that sorts its list: where it leads, and how the list is sorted by it now ("" if not)."""

    href: str
    now: str


def sort_links(
    request: HttpRequest, name: str, keys: Iterable[str], *page: str, anchor: str = ""
) -> dict[str, SortLink]:
    """A link for each key; asked for again, the other way round. `page` is left out: it begins anew."""
    asked = request.GET.get(name, "")
    links = {}
    for key in keys:
        query = request.GET.copy()
        query[name] = f"-{key}" if asked == key else key
        for one in page:
            query.pop(one, None)
        now = "ascending" if asked == key else "descending" if asked == f"-{key}" else ""
        links[key] = SortLink(f"?{query.urlencode()}{anchor}", now)
    return links
