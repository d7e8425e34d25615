"""Global search: a page, and the same as a fragment under the search box (Ctrl-K)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from nodes.lookups import search as look_up
from vnetpanel.htmx import wants_fragment


@require_safe
@vary_on_headers("HX-Request")
def search(request: HttpRequest) -> HttpResponse:
    """What the user may see whose name, CTID, MAC or address has the text."""
    text = request.GET.get("q", "").strip()[:100]
    is_fragment = wants_fragment(request)
    context = {"q": text, "hits": look_up(request.user, text, 12 if is_fragment else 100)}
    return render(request, "nodes/search.html#hits" if is_fragment else "nodes/search.html", context)
