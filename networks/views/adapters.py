"""Network Adapters of a physical server, and VLAN adapters made and deleted in the draft."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from networks.adapters_page import AdapterShown, adapters_shown
from networks.domain.rules import Problem
from networks.domain.state import AdapterKey, CreateVlan, DeleteVlan
from networks.forms.network import AdapterChoice
from networks.forms.vlan import VlanForm
from networks.services.validate import added_refusals
from networks.slices import Drafted, of_cells, of_server
from networks.tables import AdapterTable
from networks.views.gate import can_operate, server_or_404, stage
from networks.views.subjects import with_links
from nodes.choices import AdapterKind
from nodes.models import Adapter, Bridge, PhysicalServer
from nodes.views.lists import answered, paged, text_filter
from vnetpanel.htmx import wants_fragment
from vnetpanel.past import has_a_past

READ_WRITE = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@has_a_past
def adapters(request: HttpRequest, server_id: int) -> HttpResponseBase:
    """NICs, bonds and VLAN adapters, whoever made them, with what the draft changes, and the bridges."""
    server = server_or_404(request.user, server_id)
    shown = adapters_shown(server, of_cells([server.pk], [], request.user))
    text = text_filter(request)
    table = AdapterTable([one for one in shown if text.lower() in one.text], order_by="name")
    may_operate = _may_change(request, server)
    table.may_operate, table.server = may_operate, server
    if response := answered(request, table, f"network-adapters-{server.pk}"):
        return response
    context = {
        "server": server,
        "table": paged(request, table),
        "q": text,
        "may_operate": may_operate,
        "bridges": Bridge.objects.filter(server=server, gone_at=None).order_by("name"),
    }
    return render(request, "networks/adapters.html", context)


def _may_change(request: HttpRequest, server: PhysicalServer) -> bool:
    return server.is_managed and can_operate(request.user, server)


@READ_WRITE
@vary_on_headers("HX-Request")
def create_vlan(request: HttpRequest, server_id: int) -> HttpResponse:
    """New VLAN Adapter. Asked by htmx with a GET: what it would be called, or why it cannot be."""
    server = server_or_404(request.user, server_id)
    part = of_server(server.pk, request.user)
    is_preview = request.method != "POST" and wants_fragment(request)
    bases = _bases(server)
    form = VlanForm(
        request.GET if is_preview else request.POST or None,
        initial={"base": request.GET.get("base") or next((b.name for b in bases if not b.taken), "")},
        server_id=server.pk,
        bases=bases,
        refusals=lambda edit: _refusals(request, server, part, edit),
    )
    if request.method == "POST" and form.is_valid() and form.edit:
        stage(request, [form.edit], f"VLAN adapter {form.edit.name} of {server} is in your draft.")
        return redirect("networks:server_adapters", server.pk)
    context = {"server": server, "form": form, "bases": bases, "may_operate": _may_change(request, server)}
    if is_preview:
        form.is_valid()
        return render(request, "networks/vlan_new.html#preview", context)
    return render(request, "networks/vlan_new.html", context)


def _bases(server: PhysicalServer) -> list[AdapterChoice]:
    """NICs and bonds; a bond's slaves say whose they are."""
    rows = Adapter.objects.filter(server=server, gone_at=None).exclude(kind=AdapterKind.VLAN)
    return [
        AdapterChoice(
            row.name,
            f"{row.name} ({row.get_kind_display()})",
            f"a slave of {row.bond.name}; choose the bond" if row.bond else "",
        )
        for row in rows.select_related("bond").order_by("name")
    ]


def _refusals(
    request: HttpRequest, server: PhysicalServer, part: Drafted, edit: CreateVlan | DeleteVlan
) -> list[Problem]:
    """What the rules refuse about this VLAN adapter."""
    about = AdapterKey(server.pk, edit.name)
    found = added_refusals(part, [edit], [server.pk], request.user)
    return [p for p in found if about in p.subjects or p.code == "windows-server"]


@READ_WRITE
def delete_vlan(request: HttpRequest, server_id: int, name: str) -> HttpResponse:
    """Delete a VLAN adapter that the panel made and nothing uses; what uses it is listed, with links."""
    server = server_or_404(request.user, server_id)
    part = of_server(server.pk, request.user)
    adapter = _shown(server, part, name)
    problems = _refusals(request, server, _as_decided(part, server, name), DeleteVlan(server.pk, name))
    if request.method == "POST" and not problems:
        stage(request, [DeleteVlan(server.pk, name)], f"Deleting {name} of {server} is in your draft.")
        return redirect("networks:server_adapters", server.pk)
    context: dict[str, Any] = {
        "server": server,
        "adapter": adapter,
        "problems": with_links(problems, request.user),
        "may_operate": _may_change(request, server),
    }
    return render(
        request, "networks/vlan_delete.html", context, status=409 if request.method == "POST" else 200
    )


def _as_decided(part: Drafted, server: PhysicalServer, name: str) -> Drafted:
    """The part with this VLAN adapter decided, so that one only drafted is refused by what uses it.

    By the rules it would else just not be there, which is no reason to somebody who asks to delete it.
    """
    decided = {vlan.name for vlan in part.decided.vlans_on(server.pk)}
    drafted = [v for v in part.drafted.vlans_on(server.pk) if v.name == name and name not in decided]
    return replace(part, decided=replace(part.decided, vlans=(*part.decided.vlans, *drafted)))


def _shown(server: PhysicalServer, part: Drafted, name: str) -> AdapterShown:
    """The VLAN adapter of that name, if there is one that the draft does not delete already."""
    for one in adapters_shown(server, part):
        if one.name == name and one.kind == "vlan" and one.mark != "removed":
            return one
    raise Http404("There is no such VLAN adapter.")
