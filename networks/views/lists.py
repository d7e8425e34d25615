"""Lists of virtual networks: all, of a server group, of a physical server."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from networks.as_of import networks_on_then
from networks.looking_back import then
from networks.models import VirtualNetwork
from networks.overview import activity, add_members, created_by, on_server, touched_by, with_counts
from networks.slices import draft_edits
from networks.tables import NetworkTable, ServerNetworkTable, ServerNetworkThenTable
from networks.views.gate import can_operate, group_or_404, may_operate_somewhere, server_or_404
from networks.views.history import networks as networks_as_of
from networks.views.history import old_page
from nodes.views.lists import KeysFirst, answered, paged, text_filter
from vnetpanel.past import has_a_past


@require_safe
@has_a_past
def all_networks(request: HttpRequest) -> HttpResponseBase:
    """Every virtual network: each is available on all registered servers."""
    return _networks(request, "networks/list.html", {})


@require_safe
@has_a_past
def group_networks(request: HttpRequest, group_id: int) -> HttpResponseBase:
    """Virtual networks as seen from a server group."""
    return _networks(request, "networks/group_list.html", {"group": group_or_404(request.user, group_id)})


def _networks(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponseBase:
    if (revision := then()) is not None:
        return networks_as_of(request, revision.number, context.get("group"))
    rows = with_counts(_found(request), request.user)
    table = NetworkTable(KeysFirst(rows, lambda shown: add_members(shown, request.user)), order_by="name")
    if response := answered(request, table, "virtual-networks"):
        return response
    paged(request, table)
    context |= _common(request) | {
        "table": table,
        "may_create": may_operate_somewhere(request.user),
    }
    return render(request, template, context)


@require_safe
@has_a_past
def server_networks(request: HttpRequest, server_id: int) -> HttpResponseBase:
    """Virtual networks as one physical server has them: assigned, local or not defined here."""
    server = server_or_404(request.user, server_id)
    if (revision := then()) is not None:
        rows = networks_on_then(revision, server.pk, text_filter(request))
        old = ServerNetworkThenTable(rows, order_by="name")
        return old_page(request, old, f"virtual-networks-{server.pk}", revision.number, {"server": server})
    table = ServerNetworkTable(KeysFirst(on_server(_found(request), server.pk)), order_by="name")
    if response := answered(request, table, f"virtual-networks-{server.pk}"):
        return response
    paged(request, table)
    table.server = server
    context = _common(request) | {
        "table": table,
        "server": server,
        "may_create": server.is_managed and can_operate(request.user, server),
    }
    return render(request, "networks/server_list.html", context)


def _found(request: HttpRequest) -> QuerySet[VirtualNetwork]:
    networks = VirtualNetwork.objects.all()
    text = text_filter(request)
    if text:
        networks = networks.filter(Q(name__icontains=text) | Q(description__icontains=text))
    return networks


def _common(request: HttpRequest) -> dict[str, Any]:
    edits = draft_edits(request.user)
    return {
        "q": request.GET.get("q", ""),
        "activity": activity(request.user),
        "touched": touched_by(edits),
        "drafted_networks": created_by(edits),
    }
