"""Global search: a page, and the same as a fragment under the search box (Ctrl-K)."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from nodes.lookups import Hit
from nodes.lookups import search as look_up
from nodes.querysets import AnyUser
from vnetpanel.htmx import wants_fragment
from vnetpanel.search import Found
from vnetpanel.search import search as search_everything


@require_safe
@vary_on_headers("HX-Request")
def search(request: HttpRequest) -> HttpResponse:
    """What the user may see whose name, CTID, MAC or address has the text."""
    text = request.GET.get("q", "").strip()[:100]
    is_fragment = wants_fragment(request)
    most = 12 if is_fragment else 100
    found = search_everything(request.user, text, most)
    context = {"q": text, "hits": found, "is_full": len(found) == most, "is_fragment": is_fragment}
    return render(request, "nodes/search.html#hits" if is_fragment else "nodes/search.html", context)


def hits(user: AnyUser, text: str, limit: int) -> Iterator[Found]:
    """What the inventory has: server groups, servers, containers, adapters, interfaces."""
    for hit in look_up(user, text, limit):
        icon = "adapter" if hit.kind == "interface" else hit.kind
        yield Found(hit.kind, icon, hit.title, hit.detail, hit.place, _page(hit))


def _page(hit: Hit) -> str:
    match hit.kind:
        case "group":
            return reverse("nodes:group", args=[hit.pk])
        case "server":
            return reverse("nodes:server", args=[hit.pk])
        case "adapter":
            return reverse("networks:server_adapters", args=[hit.server_id])
        case _:
            return reverse("nodes:container", args=[hit.container_id])
