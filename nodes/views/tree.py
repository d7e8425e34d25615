"""The tree on the left: server groups, servers, containers, one level at a time.

Each level is a fragment of plain links, so the tree works without JavaScript as well: the page that a link
leads to lists the same things.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from nodes.models import Container, PhysicalServer, ServerGroup
from nodes.views.gate import group_or_404, server_or_404

MOST = 200
"""Entries of one level; what is more is found by the filter or on the page."""


@require_safe
def top(request: HttpRequest) -> HttpResponse:
    """The top groups that the user may see, or what matches the filter."""
    text = request.GET.get("q", "").strip()[:100]
    groups = ServerGroup.objects.visible_to(request.user)
    servers = PhysicalServer.objects.visible_to(request.user)
    if text:
        context = {
            "find": text,
            "groups": groups.filter(name__icontains=text)[:MOST],
            "servers": servers.filter(name__icontains=text).only("name", "state")[:MOST],
        }
        return render(request, "nodes/tree.html", context)
    rows = list(groups.order_by("path")[: MOST * 5])
    seen = {row.pk for row in rows}
    # A user with a role deep inside sees her group at the top of her tree.
    tops = [row for row in rows if not seen & set(row.ancestor_ids)]
    return render(request, "nodes/tree.html", {"groups": sorted(tops, key=lambda g: g.name.lower())})


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
    containers = Container.objects.filter(server=here, gone_at=None).order_by("ctid")
    return render(request, "nodes/tree.html", {"containers": containers[:MOST], "server": here})
