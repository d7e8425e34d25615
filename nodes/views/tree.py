"""The tree on the left: server groups, servers, containers, one level at a time.

Each level is a fragment of plain links, so the tree works without JavaScript as well: the page that a link
leads to lists the same things.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from nodes.models import Container, PhysicalServer, ServerGroup
from nodes.querysets import AnyUser
from nodes.views.gate import group_or_404, server_or_404
from nodes.views.lists import text_filter

MOST = 200
"""Entries of one level; what is more is found by the filter or on the page."""
MOST_CONTAINERS = 50
"""Containers that the filter lists: a piece of a name may be in thousands."""


@require_safe
def top(request: HttpRequest) -> HttpResponse:
    """The top groups that the user may see, or what matches the filter."""
    text = text_filter(request)
    groups = ServerGroup.objects.visible_to(request.user)
    servers = PhysicalServer.objects.visible_to(request.user)
    if text:
        found: dict[str, list[Any]] = {
            "groups": list(groups.filter(name__icontains=text)[:MOST]),
            "servers": list(servers.filter(name__icontains=text).only("name", "state")[:MOST]),
            "containers": list(_containers(request.user, text)),
        }
        context = {"is_top": True, "find": text, "number": sum(map(len, found.values()))} | found
        return render(request, "nodes/tree.html", context)
    rows = list(groups.order_by("path")[: MOST * 5])
    seen = {row.pk for row in rows}
    # A user with a role deep inside sees her group at the top of her tree.
    tops = [row for row in rows if not seen & set(row.ancestor_ids)]
    context = {"is_top": True, "groups": sorted(tops, key=lambda g: g.name.lower())}
    return render(request, "nodes/tree.html", context)


def _containers(user: AnyUser, text: str) -> QuerySet[Container]:
    """Containers that match, with their servers: one number may be on many."""
    found = Container.objects.visible_to(user).present()
    found = found.filter(Q(ctid__istartswith=text) | Q(name__icontains=text) | Q(hostname__icontains=text))
    return found.select_related("server")[:MOST_CONTAINERS]


@require_safe
def group(request: HttpRequest, group_id: int) -> HttpResponse:
    """Groups and servers right inside a group."""
    here = group_or_404(request.user, group_id)
    servers = here.servers.only("name", "state", "group").order_by("name")
    found = list(servers[: MOST + 1])
    context = {
        "groups": here.children.order_by("name")[:MOST],
        "servers": found[:MOST],
        "more": len(found) > MOST,
        "group": here,
    }
    return render(request, "nodes/tree.html", context)


@require_safe
def server(request: HttpRequest, server_id: int) -> HttpResponse:
    """Containers of a server."""
    here = server_or_404(request.user, server_id)
    found = list(Container.objects.filter(server=here, gone_at=None).order_by("ctid")[: MOST + 1])
    context = {"containers": found[:MOST], "more": len(found) > MOST, "server": here}
    return render(request, "nodes/tree.html", context)
