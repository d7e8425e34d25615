"""One virtual network: create, details, configure, delete, at server-group and at server level.

Every form ends in edits of the user's draft; nothing touches a server before the draft was reviewed.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from networks.domain.rules import Problem
from networks.domain.state import (
    AddMember,
    CreateNetwork,
    DeleteNetwork,
    Desired,
    Edit,
    Network,
    RemoveMember,
)
from networks.forms.network import NONE, NetworkForm, ServerNetworkForm, ServerPartForm
from networks.grid import choice_edits, value_of
from networks.looking_back import then
from networks.models import NetworkIntent
from networks.network_page import (
    hidden_members,
    members_shown,
    recent_changes,
    servers_shown,
    where,
)
from networks.offers import adapters_offered, interface_keys, interface_value, interfaces_offered
from networks.overview import drafted_names
from networks.services.drift import open_drifts
from networks.services.validate import problems_of
from networks.slices import Drafted, draft_edits, of_server
from networks.views.configure import MEMBERS_PER_PAGE, SERVERS_PER_PAGE
from networks.views.gate import (
    can_operate,
    drafted_or_404,
    may_change,
    may_operate_somewhere,
    network_or_404,
    refused_of,
    server_or_404,
    stage,
)
from networks.views.history import network as network_as_of
from networks.views.paging import page_number, pages
from networks.views.subjects import with_links
from nodes.models import PhysicalServer, ServerGroup
from vnetpanel.past import has_a_past

MOST_DRIFTS = 20
READ_WRITE = require_http_methods(["GET", "HEAD", "POST"])


@READ_WRITE
def create(request: HttpRequest) -> HttpResponse:
    """New Virtual Network for all servers: name and description."""
    form = NetworkForm(request.POST or None, drafted_names=drafted_names(draft_edits(request.user)))
    if request.method == "POST" and form.is_valid():
        new = CreateNetwork(str(uuid.uuid4()), form.cleaned_data["name"], form.cleaned_data["description"])
        stage(request, [new], f"Virtual network {new.name} is in your draft. Now say where it goes.")
        return redirect("networks:configure", new.id)
    groups = ServerGroup.objects.operable_by(request.user)
    return render(request, "networks/create.html", {"form": form, "may_create": groups.exists()})


@READ_WRITE
def create_on_server(request: HttpRequest, server_id: int) -> HttpResponse:
    """New Virtual Network on a physical server: also to which of its adapters, and which containers."""
    server = server_or_404(request.user, server_id)
    part = of_server(server.pk, request.user)
    state = part.drafted
    refused: tuple[Problem, ...] = ()
    form = ServerNetworkForm(
        request.POST or None,
        initial={"adapter": NONE},
        drafted_names=drafted_names(draft_edits(request.user)),
        adapters=adapters_offered(server, part, ""),
        interfaces=(interfaces := interfaces_offered(server, state, "")),
    )
    if request.method == "POST" and form.is_valid():
        new = CreateNetwork(str(uuid.uuid4()), form.cleaned_data["name"], form.cleaned_data["description"])
        edits = [new, *_part_edits(server, new.id, form, state)]
        if not (refused := refused_of(request, edits)):
            stage(request, edits, f"Virtual network {new.name} is in your draft.")
            return redirect("networks:configure", new.id)
    context = {
        "form": form,
        "server": server,
        "interfaces": interfaces,
        "refused": with_links(refused, request.user),
    }
    return render(request, "networks/create_on_server.html", context | _rights(request, server))


@READ_WRITE
@has_a_past
def configure_on_server(request: HttpRequest, server_id: int, network_id: uuid.UUID) -> HttpResponse:
    """A network on one physical server: its adapter there, and the members there."""
    server = server_or_404(request.user, server_id)
    network = network_or_404(request.user, network_id)
    part = of_server(server.pk, request.user)
    state = part.drafted
    refused: tuple[Problem, ...] = ()
    form = ServerPartForm(
        request.POST or None,
        initial=_part(server, network.id, state),
        adapters=adapters_offered(server, part, network.id),
        interfaces=(interfaces := interfaces_offered(server, state, network.id)),
    )
    if request.method == "POST" and form.is_valid():
        edits = _part_edits(server, network.id, form, state)
        if not (refused := refused_of(request, edits)):
            stage(request, edits, f"{network.name} on {server.name} is in your draft.")
            return redirect("networks:server_networks", server.pk)
    context = {"form": form, "server": server, "network": network, "interfaces": interfaces}
    context["refused"] = with_links(refused, request.user)
    return render(request, "networks/configure_on_server.html", context | _rights(request, server))


def _rights(request: HttpRequest, server: PhysicalServer) -> dict[str, Any]:
    return {"may_operate": server.is_managed and can_operate(request.user, server)}


def _part(server: PhysicalServer, network_id: str, state: Desired) -> dict[str, Any]:
    members = [interface_value(m.interface) for m in state.members_of(network_id, server.pk)]
    return {"adapter": value_of(network_id, server.pk, state), "members": members}


def _part_edits(server: PhysicalServer, network_id: str, form: ServerPartForm, state: Desired) -> list[Edit]:
    """Edits from what is drafted to what was chosen; what was left as the page showed it is not touched."""
    edits: list[Edit] = []
    adapter = form.cleaned_data["adapter"]
    if adapter not in (form.shown_adapter, value_of(network_id, server.pk, state)):
        edits += choice_edits(network_id, server.pk, adapter, state)
    wanted, shown = set(interface_keys(form.cleaned_data["members"])), set(interface_keys(form.shown_members))
    have = {member.interface for member in state.members_of(network_id, server.pk)}
    edits += [RemoveMember(key) for key in sorted((shown - wanted) & have)]
    edits += [AddMember(network_id, key) for key in sorted(wanted - shown - have)]
    return edits


@require_safe
@has_a_past
def detail(request: HttpRequest, network_id: uuid.UUID) -> HttpResponse:
    """Assignments per server, members, problems, and the last Changes."""
    if (revision := then()) is not None:
        return network_as_of(request, revision.number, network_id)
    network, part = drafted_or_404(request.user, network_id)
    return render(request, "networks/detail.html", _page(request, network, part))


def _page(request: HttpRequest, network: Network, part: Drafted) -> dict[str, Any]:
    """What the details and the page that deletes show of a network."""
    start = (page_number(request, "members") - 1) * MEMBERS_PER_PAGE
    first = (page_number(request, "servers") - 1) * SERVERS_PER_PAGE
    there = where(part, network.id, request.user)
    servers, more_servers = servers_shown(part, network.id, there, first, SERVERS_PER_PAGE)
    members, more = members_shown(part, network.id, there, start, MEMBERS_PER_PAGE)
    return {
        "network": network,
        "is_drafted_only": part.decided.network(network.id) is None,
        "servers": servers,
        "server_pages": pages(request, "servers", more_servers, "#servers"),
        "hidden_servers": len(there.hidden),
        "members": members,
        "hidden_members": hidden_members(part, network.id, there),
        "member_pages": pages(request, "members", more, "#members"),
        "problems": with_links(problems_of(network.id, request.user, part), request.user),
        "drifts": list(open_drifts(request.user).filter(network=uuid.UUID(network.id))[:MOST_DRIFTS]),
        "changes": recent_changes(network.id, request.user),
        "may_configure": may_operate_somewhere(request.user),
        "may_change": may_change(request.user, uuid.UUID(network.id)),
    }


@READ_WRITE
def delete(request: HttpRequest, network_id: uuid.UUID) -> HttpResponse:
    """Delete a network that nothing uses; what uses it is listed."""
    network, part = drafted_or_404(request.user, network_id)
    in_use = part.drafted.servers_of(network.id)
    if request.method == "POST" and not in_use:
        is_new = part.decided.network(network.id) is None
        said = f"{network.name} is no longer in your draft." if is_new else ""
        stage(request, [DeleteNetwork(network.id)], said or f"Deleting {network.name} is in your draft.")
        return redirect("networks:list")
    context = _page(request, network, part) | {
        "in_use": bool(in_use),
        # They hang on its row: a revert makes another one.
        "intents_count": NetworkIntent.objects.filter(network=network_id).count(),
    }
    return render(request, "networks/delete.html", context, status=409 if request.method == "POST" else 200)
