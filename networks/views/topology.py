"""The topology picture: of everything, a server group, a server, a virtual network or a container."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from networks.domain.inventory import ContainerKey, NetworkRef, ServerRef
from networks.domain.topology.layout import lay_out
from networks.domain.topology.scene import Column, Scene
from networks.happenings import happening_text
from networks.slices import draft_edits
from networks.topology_list import PER_PAGE, server_lines
from networks.topology_rows import MOST_SERVERS, Part, View, container_ids, scene, version
from networks.views.gate import container_or_404, network_or_404, server_or_404
from networks.views.paging import page_number, pages
from nodes.models import PhysicalServer, ServerGroup
from nodes.querysets import AnyUser
from vnetpanel.htmx import wants_fragment
from vnetpanel.past import has_a_past

HOPS = range(4)
MOST_GROUPS = 100


@require_safe
@has_a_past
@vary_on_headers("HX-Request")
def everything(request: HttpRequest) -> HttpResponse:
    """All that the user may see."""
    context = {"picture_name": "Topology of everything", "base": "networks/topology/everything.html"}
    return _answer(request, Part(_visible(request.user)), context)


@require_safe
@has_a_past
@vary_on_headers("HX-Request")
def group(request: HttpRequest, group_id: int) -> HttpResponse:
    """The servers of a group and of all groups below it."""
    found, *below = _with_groups_below(request.user, group_id)
    inside = PhysicalServer.objects.inside(found).values_list("pk", flat=True)
    context = {
        "picture_name": f"Topology of {found}",
        "base": "networks/topology/group.html",
        "group": found,
        "groups": below,
    }
    return _answer(request, Part(frozenset(inside)), context)


@require_safe
@has_a_past
@vary_on_headers("HX-Request")
def server(request: HttpRequest, server_id: int) -> HttpResponse:
    """One server, alone or with what its networks join it to."""
    found = server_or_404(request.user, server_id)
    context = {
        "picture_name": f"Topology of {found}",
        "base": "networks/topology/server.html",
        "server": found,
        "what_if": happening_text(ServerRef(found.pk)),
        "hops_names": ["This server", "Its networks", "One further", "Two further"],
    }
    return _answer(request, _around(request, ServerRef(found.pk)), context)


@require_safe
@has_a_past
@vary_on_headers("HX-Request")
def network(request: HttpRequest, network_id: uuid.UUID) -> HttpResponse:
    """One virtual network on all its servers."""
    found = network_or_404(request.user, network_id)
    context = {
        "picture_name": f"Topology of Virtual Network {found.name}",
        "base": "networks/topology/network.html",
        "network": found,
        "hops_names": ["Members", "Their networks", "One further", "Two further"],
    }
    return _answer(request, _around(request, NetworkRef(found.id)), context)


@require_safe
@has_a_past
@vary_on_headers("HX-Request")
def container(request: HttpRequest, container_id: int) -> HttpResponse:
    """One container with its networks and their members."""
    found = container_or_404(request.user, container_id)
    start = ContainerKey(found.server_id, found.ctid)
    context = {
        "picture_name": f"Topology around container {found}",
        "base": "networks/topology/container.html",
        "container": found,
        "server": found.server,
        "what_if": happening_text(start),
        "hops_names": ["This container", "Its neighbours", "One further", "Two further"],
    }
    return _answer(request, _around(request, start, default=1), context)


def _visible(user: AnyUser) -> frozenset[int]:
    return frozenset(PhysicalServer.objects.visible_to(user).values_list("pk", flat=True))


def _with_groups_below(user: AnyUser, group_id: int) -> list[ServerGroup]:
    """The group and the first of those below it. One query. Raises Http404 if she may not see it."""
    groups = ServerGroup.objects.visible_to(user).select_related("parent")
    # Its own path ends in its key, and theirs begin with its path.
    found = list(groups.filter(path__contains=f"/{group_id}/").order_by("path")[: MOST_GROUPS + 1])
    if not found or found[0].pk != group_id:
        raise Http404("There is no such server group.")
    return found


def _around(request: HttpRequest, start: NetworkRef | ServerRef | ContainerKey, default: int = 0) -> Part:
    text = request.GET.get("hops", "")
    hops = int(text) if text.isdecimal() and len(text) < 3 else default
    return Part(_visible(request.user), start, min(hops, HOPS[-1]))


def _view(request: HttpRequest) -> View:
    """What was asked for; the draft where there is one, else what is decided."""
    match request.GET.get("state", ""):
        case "observed":
            return "observed"
        case "desired":
            return "desired"
    return "draft" if draft_edits(request.user) else "desired"


def _answer(request: HttpRequest, part: Part, context: dict[str, Any]) -> HttpResponse:
    """The page, or the polled picture with an ETag."""
    view = _view(request)
    context |= {"view": view, "part": part, "has_draft": bool(draft_edits(request.user))}
    inside = context.get("group")
    if not wants_fragment(request):
        context |= _drawn(request, part, view, inside)
        response = render(request, context["base"], context)
        response["Cache-Control"] = "private, no-store"
        return response
    etag = f'"{version(part, view, request.user)}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers=headers)
    context |= _drawn(request, part, view, inside)
    response = render(request, "networks/topology/live.html", context)
    for name, value in headers.items():
        response[name] = value
    return response


def _drawn(request: HttpRequest, part: Part, view: View, inside: ServerGroup | None) -> dict[str, Any]:
    if part.start is None and len(part.servers) > MOST_SERVERS:
        return _listed(request, part, view, inside)
    found = scene(part, view, request.user)
    if not found.columns:
        return {"scene": found}
    picture = lay_out(found)
    ids = container_ids(shape.box.key for shape in picture.boxes if shape.box.count == 1)
    return {
        "scene": found,
        "picture": picture,
        "picture_about": _about(found),
        "bands": {band.id: band for band in found.bands},
        "columns": [(shape, _server_link(shape.column)) for shape in picture.columns],
        "strips": [(strip, _network_link(strip.band.id)) for strip in picture.strips],
        "boxes": [
            (
                shape,
                reverse("nodes:container", args=[ids[shape.box.key]])
                if shape.box.count == 1 and shape.box.key in ids
                else reverse("nodes:server_containers", args=[shape.box.key.server]),
            )
            for shape in picture.boxes
        ],
        "sockets": [
            (shape, reverse("networks:server_adapters", args=[shape.server])) for shape in picture.sockets
        ],
    }


def _listed(request: HttpRequest, part: Part, view: View, inside: ServerGroup | None) -> dict[str, Any]:
    """Too many to draw: the servers in words, and the groups below.

    What was observed of so many is on their own pages: it would take all that is on them.
    """
    first = (page_number(request, "servers") - 1) * PER_PAGE
    found = PhysicalServer.objects.visible_to(request.user).order_by("name")
    found = found.filter(group__path__startswith=inside.path) if inside is not None else found
    servers = list(found[first : first + PER_PAGE + 1])
    view = "desired" if view == "observed" else view
    groups = {} if inside is not None else {"groups": _groups(request.user)}
    return groups | {
        "too_many": len(part.servers),
        "most": MOST_SERVERS,
        "view": view,
        "lines": server_lines(servers[:PER_PAGE], view, request.user),
        "server_pages": pages(request, "servers", len(servers) > PER_PAGE),
    }


def _groups(user: AnyUser) -> list[ServerGroup]:
    return list(ServerGroup.objects.visible_to(user).order_by("path")[:MOST_GROUPS])


def _server_link(column: Column) -> str:
    if len(column.servers) == 1:
        return reverse("nodes:server", args=[column.servers[0]])
    return f"#column-{column.servers[0]}"


def _network_link(band: str) -> str:
    """To the network; a bridge that is not the panel's leads to its server's adapters."""
    if "/" not in band:
        return reverse("networks:detail", args=[band])
    first, _, rest = band.partition("/")
    server = first if first.isdecimal() else rest.rpartition("/")[2]
    return reverse("networks:server_adapters", args=[server])


def _about(found: Scene) -> str:
    counts = (
        (sum(len(column.servers) for column in found.columns), "physical server"),
        (sum(box.count for column in found.columns for box in column.boxes), "container"),
        (sum(band.kind == "network" for band in found.bands), "virtual network"),
    )
    servers, boxes, networks = (f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts)
    return f"{servers}, {boxes} and {networks}."
