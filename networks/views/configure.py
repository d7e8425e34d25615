"""Configure a network for all servers: its name, its containers, and where it is assigned on each server.

Containers are added on a page of their own (networks/views/add_members.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from networks.domain.state import DescribeNetwork, Network, RemoveMember
from networks.forms.network import NetworkForm
from networks.grid import chosen_edits, rows, servers_of_cells, touched
from networks.network_page import hidden_members, members_shown, where
from networks.offers import interface_keys
from networks.overview import drafted_names
from networks.services.validate import problems_of
from networks.slices import Drafted, draft_edits, of_cells
from networks.views.gate import (
    can_operate,
    drafted_or_404,
    may_change,
    may_operate_somewhere,
    must_operate,
    refused_of,
    stage,
)
from networks.views.paging import page_number, pages, text_of
from networks.views.subjects import with_links
from nodes.models import PhysicalServer
from vnetpanel.numbers import numbers

READ_WRITE = require_http_methods(["GET", "HEAD", "POST"])
SERVERS_PER_PAGE = 25
MEMBERS_PER_PAGE = 50


@READ_WRITE
def configure(request: HttpRequest, network_id: uuid.UUID) -> HttpResponseBase:
    """The page; posted, it is the name and the description."""
    network, part = drafted_or_404(request.user, network_id)
    form = _name_form(request, network, request.POST or None)
    if request.method == "POST" and form.is_valid():
        now = {"name": network.name, "description": network.description}
        wanted = now | form.changes()
        edits = [DescribeNetwork(network.id, **wanted)] if wanted != now else []
        stage(request, edits, "The new name and description are in your draft.")
        return redirect("networks:configure", network.id)
    return _page(request, network, part, form)


def _name_form(request: HttpRequest, network: Network, data: Any = None) -> NetworkForm:
    return NetworkForm(
        data,
        initial={"name": network.name, "description": network.description},
        own_id=network.id,
        drafted_names=drafted_names(draft_edits(request.user)),
    )


def _page(
    request: HttpRequest,
    network: Network,
    part: Drafted,
    form: NetworkForm | None = None,
    *,
    posted: Mapping[str, str] | None = None,
    refused: Iterable[Any] = (),
) -> HttpResponse:
    refused = list(refused)
    start = (page_number(request, "members") - 1) * MEMBERS_PER_PAGE
    there = where(part, network.id, request.user)
    members, more = members_shown(part, network.id, there, start, MEMBERS_PER_PAGE)
    context = _servers(request, network, part, posted) | {
        "network": network,
        "is_drafted_only": part.decided.network(network.id) is None,
        "form": form or _name_form(request, network),
        "hidden_servers": len(there.hidden),
        "members": members,
        "hidden_members": hidden_members(part, network.id, there),
        "member_pages": pages(request, "members", more, "#members"),
        "refused": with_links(refused, request.user),
        "problems": with_links(problems_of(network.id, request.user, part), request.user),
        "may_change": may_change(request.user, uuid.UUID(network.id)),
        "may_add": may_operate_somewhere(request.user),
        "may_take_out": any(can_operate(request.user, member.server) for member in members),
    }
    return render(request, "networks/configure.html", context, status=422 if refused else 200)


def _servers(
    request: HttpRequest, network: Network, part: Drafted, posted: Mapping[str, str] | None
) -> dict[str, Any]:
    """The servers' column of the grid: first those where the network is, others by search."""
    find = text_of(request, "server")
    used = part.decided.servers_of(network.id) | part.drafted.servers_of(network.id)
    shows_all = bool(find) or request.GET.get("which") == "all" or not used
    servers = PhysicalServer.objects.visible_to(request.user).filter(os="linux").order_by("name")
    servers = servers.filter(name__icontains=find) if find else servers
    servers = servers if shows_all else servers.filter(pk__in=used)
    start = (page_number(request, "servers") - 1) * SERVERS_PER_PAGE
    found = list(servers.select_related("group")[start : start + SERVERS_PER_PAGE + 1])
    page = found[:SERVERS_PER_PAGE]
    ids = [server.pk for server in page]
    operable = frozenset(server.pk for server in page if can_operate(request.user, server))
    cells = of_cells(ids, [network.id], request.user)
    return {
        "rows": rows(page, [network], cells, operable, posted),
        "server_pages": pages(request, "servers", len(found) > SERVERS_PER_PAGE, "#assignments"),
        "find_server": find,
        "shows_all": shows_all,
        "is_used": bool(used),
        "may_assign": bool(operable),
    }


@READ_WRITE
def assign(request: HttpRequest, network_id: uuid.UUID) -> HttpResponse:
    """Where the network is assigned, for the servers that the page listed.

    What is refused is shown at this address: its links, and whoever comes back to it, lead on to the page.
    """
    if request.method != "POST":
        response = redirect("networks:configure", network_id)
        response["Location"] += f"?{request.GET.urlencode()}" if request.GET else ""
        return response
    network, part = drafted_or_404(request.user, network_id)
    servers = numbers(request.POST.getlist("server"))
    posted = touched(request.POST.dict())
    must_operate(request, servers_of_cells(posted, servers, [network.id]))
    cells = of_cells(servers, [network.id], request.user)
    edits = chosen_edits(posted, servers, [network.id], cells.drafted)
    if refused := refused_of(request, edits):
        return _page(request, network, part, posted=posted, refused=refused)
    stage(request, edits, f"Where {network.name} is assigned is in your draft.")
    return _back(network, "#assignments")


@require_POST
def members(request: HttpRequest, network_id: uuid.UUID) -> HttpResponse:
    """Take the ticked members out."""
    network, part = drafted_or_404(request.user, network_id)
    keys = interface_keys(request.POST.getlist("remove"))
    must_operate(request, {key.server for key in keys})
    have = {member.interface for member in part.drafted.members_of(network.id)}
    edits = [RemoveMember(key) for key in keys if key in have]
    stage(request, edits, f"Leaving {network.name} is in your draft.")
    return _back(network, "#members")


def _back(network: Network, anchor: str) -> HttpResponse:
    response = redirect("networks:configure", network.id)
    response["Location"] += anchor
    return response
