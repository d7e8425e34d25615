"""Assignments of a server group: its servers and the networks in one grid."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from networks.domain.rules import Problem
from networks.domain.state import Network
from networks.grid import chosen_edits, rows, said, servers_of_cells, touched
from networks.looking_back import shown_head, then
from networks.models import VirtualNetwork
from networks.overview import created_by
from networks.slices import draft_edits, of_cells
from networks.views.gate import group_or_404, may_operate_somewhere, must_operate, refused_of, stage
from networks.views.paging import page_number, pages, sort_links, text_of
from networks.views.subjects import with_links
from nodes.choices import Role
from nodes.models import PhysicalServer, ServerGroup
from nodes.querysets import group_paths
from vnetpanel.csv_file import csv_response
from vnetpanel.numbers import numbers
from vnetpanel.past import has_a_past

SERVERS, NETWORKS = 25, 5
"""Rows and columns of one page: as many as a screen shows without scrolling sideways."""


@require_http_methods(["GET", "HEAD", "POST"])
@has_a_past
def group_grid(request: HttpRequest, group_id: int) -> HttpResponseBase:
    """A page of servers and a page of networks; each cell is one choice. As CSV all that match."""
    group = group_or_404(request.user, group_id)
    if request.method != "POST":
        return _as_csv(request, group) if request.GET.get("format") == "csv" else _shown(request, group)
    servers = numbers(request.POST.getlist("server"))
    wanted = set(request.POST.getlist("network"))
    networks = [network for network in _networks(request, "") if network.id in wanted]
    posted = touched(request.POST.dict())
    ids = [network.id for network in networks]
    must_operate(request, servers_of_cells(posted, servers, ids))
    edits = chosen_edits(posted, servers, ids, of_cells(servers, ids, request.user).drafted)
    if refused := refused_of(request, edits):
        return _shown(request, group, posted, refused)
    stage(request, edits, f"{len(edits)} assignment{'s' if len(edits) > 1 else ''}: in your draft.")
    response = redirect("networks:group_grid", group.pk)
    if query := request.META.get("QUERY_STRING"):
        response["Location"] += f"?{query}"
    return response


def _networks(request: HttpRequest, text: str) -> list[Network]:
    """Networks by name, those that only the draft has included. One query."""
    if then() is not None:
        state = shown_head().state
        return sorted((n for n in state.networks if text.lower() in n.name.lower()), key=lambda n: n.name)
    stored = VirtualNetwork.objects.filter(name__icontains=text) if text else VirtualNetwork.objects.all()
    found = [Network(str(pk), name) for pk, name in stored.order_by("name").values_list("pk", "name")]
    new = [Network(e.id, e.name) for e in created_by(draft_edits(request.user))]
    return [network for network in new if text.lower() in network.name.lower()] + found


def _servers(request: HttpRequest, group: ServerGroup, text: str) -> QuerySet[PhysicalServer]:
    inside = PhysicalServer.objects.inside(group).filter(os="linux").select_related("group")
    inside = inside.filter(name__icontains=text) if text else inside
    return inside.order_by("-name" if request.GET.get("sort") == "-server" else "name")


def _as_csv(request: HttpRequest, group: ServerGroup) -> HttpResponseBase:
    servers = list(_servers(request, group, text_of(request, "server")))
    networks = _networks(request, text_of(request, "network"))
    part = of_cells([server.pk for server in servers], [network.id for network in networks], request.user)
    heads = ("Physical server", "Server group", *(network.name for network in networks))
    lines = (
        (server.name, server.group.name, *(said(network.id, server.pk, part.drafted) for network in networks))
        for server in servers
    )
    return csv_response("assignments", chain([heads], lines))


def _shown(
    request: HttpRequest,
    group: ServerGroup,
    posted: Mapping[str, str] | None = None,
    refused: tuple[Problem, ...] = (),
) -> HttpResponse:
    text, wanted = text_of(request, "server"), text_of(request, "network")
    first = (page_number(request, "servers") - 1) * SERVERS
    servers = list(_servers(request, group, text)[first : first + SERVERS + 1])
    networks = _networks(request, wanted)
    start = (page_number(request, "networks") - 1) * NETWORKS
    columns = networks[start : start + NETWORKS]
    page = servers[:SERVERS]
    part = of_cells([server.pk for server in page], [network.id for network in columns], request.user)
    operable = _operable(request, page)
    context: dict[str, Any] = {
        "group": group,
        "columns": columns,
        "rows": rows(page, columns, part, operable, posted),
        "server_pages": pages(request, "servers", len(servers) > SERVERS),
        "network_pages": pages(request, "networks", len(networks) > start + NETWORKS),
        "find_server": text,
        "find_network": wanted,
        "sorts": sort_links(request, "sort", ["server"], "servers"),
        "csv_query": urlencode({"server": text, "network": wanted, "format": "csv"}),
        "refused": with_links(refused, request.user),
        "may_operate": bool(operable),
        "may_create": may_operate_somewhere(request.user),
    }
    return render(request, "networks/grid.html", context, status=422 if refused else 200)


def _operable(request: HttpRequest, servers: list[PhysicalServer]) -> frozenset[int]:
    """Those that the user may operate, without another query."""
    if then() is not None:
        return frozenset()
    if getattr(request.user, "is_superuser", False):
        return frozenset(server.pk for server in servers)
    paths = group_paths(request.user, Role.OPERATOR)
    return frozenset(s.pk for s in servers if any(s.group.path.startswith(path) for path in paths))
