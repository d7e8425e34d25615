"""What every page knows of virtual networks: how much is pending."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from networks.looking_back import then
from networks.models import VirtualNetwork
from networks.slices import draft_edits


def pending(request: HttpRequest) -> dict[str, object]:
    """`draft_count`: edits in the user's draft; `looking_back`: the revision that the page is about, with its
    neighbours, or that it was asked for and has no past. Computed where a template asks for it.
    """
    return {"draft_count": partial(_count, request), "looking_back": cache(partial(_looking_back, request))}


def _count(request: HttpRequest) -> int:
    return len(draft_edits(request.user)) if request.user.is_authenticated else 0


def _looking_back(request: HttpRequest) -> dict[str, Any] | None:
    if "as_of" not in request.GET or not request.user.is_authenticated:
        return None
    seen = then()
    if seen is None:
        return {"then": None}
    query, asked = request.GET.copy(), request.GET.copy()
    del asked["as_of"]

    def beside(number: int) -> str:
        query["as_of"] = str(number)
        return f"?{query.urlencode()}"

    return {
        "then": seen,
        "newest": seen.newest,
        "today": _today(request, asked),
        "older": beside(seen.number - 1) if seen.number else "",
        "newer": beside(seen.number + 1) if seen.number < seen.newest else "",
    }


def _today(request: HttpRequest, asked: QueryDict) -> str:
    """The way back to now, which keeps the rest of the question: a pair, a page of a list, a filter."""
    network = request.resolver_match.kwargs.get("network_id") if request.resolver_match else None
    if network and not VirtualNetwork.objects.filter(pk=network).exists():
        return reverse("networks:list")  # It has no page any more.
    return f"{request.path}?{asked.urlencode()}" if asked else request.path
