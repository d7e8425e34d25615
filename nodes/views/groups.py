"""Server groups: overview, their servers and containers, making, renaming, moving, removing."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from nodes import services
from nodes.choices import Role, ServerState
from nodes.forms.groups import GroupForm, RemoveForm
from nodes.models import Container, PhysicalServer, ServerGroup
from nodes.tables import ContainerTable, ServerTable
from nodes.views.gate import group_or_404, has_role, needs_admin_somewhere, said_on
from nodes.views.lists import answered, matching, paged, text_filter, with_interfaces
from vnetpanel.past import has_a_past

READ_WRITE = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def overview(request: HttpRequest, group_id: int) -> HttpResponse:
    """Counts by state, groups inside, servers that need somebody."""
    group = group_or_404(request.user, group_id)
    inside = PhysicalServer.objects.inside(group)
    states = dict(inside.order_by().values_list("state").annotate(n=Count("pk")))
    context = _head(request, group) | {
        "children": group.children.order_by("name"),
        "states": [(ServerState(state), number) for state, number in sorted(states.items())],
        "servers_count": sum(states.values()),
        "troubled": inside.exclude(state__in=(ServerState.OK, ServerState.INVENTORY_ONLY))[:10],
    }
    return render(request, "nodes/group.html", context)


@require_safe
def servers(request: HttpRequest, group_id: int) -> HttpResponseBase:
    """Servers of the group and of all groups below."""
    group = group_or_404(request.user, group_id)
    text = text_filter(request)
    rows = PhysicalServer.objects.inside(group).select_related("group")
    table = ServerTable(matching(rows, text, "name", "address", "hostname"))
    if response := answered(request, table, f"servers-{group.pk}"):
        return response
    context = _head(request, group) | {"table": paged(request, table), "q": text}
    return render(request, "nodes/group_servers.html", context)


@require_safe
@has_a_past
def containers(request: HttpRequest, group_id: int) -> HttpResponseBase:
    """Containers of all servers in the group."""
    group = group_or_404(request.user, group_id)
    text = text_filter(request)
    rows = Container.objects.filter(server__group__path__startswith=group.path, gone_at=None)
    table = ContainerTable(with_interfaces(matching(rows, text, "ctid", "name", "hostname")))
    if response := answered(request, table, f"containers-{group.pk}"):
        return response
    context = _head(request, group) | {"table": paged(request, table), "q": text}
    return render(request, "nodes/group_containers.html", context)


def _head(request: HttpRequest, group: ServerGroup) -> dict[str, Any]:
    return {
        "group": group,
        "may_administer": has_role(request, Role.ADMIN, group),
        "may_remove": services.may_remove(request.user, group),
    }


@READ_WRITE
def create(request: HttpRequest) -> HttpResponse:
    """A new server group."""
    needs_admin_somewhere(request, "Making a server group")
    form = GroupForm(request.POST or None, user=request.user, initial={"parent": request.GET.get("parent")})
    if request.method == "POST" and form.is_valid():
        with said_on(form):
            data = form.cleaned_data
            group = services.create_group(request.user, data["name"], data["parent"], data["description"])
            messages.success(request, f"Server group {group} is made.")
            return redirect("nodes:group", group.pk)
    return render(request, "nodes/form.html", {"form": form, "title": "New server group", "submit": "Create"})


@READ_WRITE
def edit(request: HttpRequest, group_id: int) -> HttpResponse:
    """Rename a group, or move it with all that is in it."""
    group = group_or_404(request.user, group_id)
    initial = {"name": group.name, "description": group.description, "parent": group.parent_id}
    form = GroupForm(request.POST or None, user=request.user, group=group, initial=initial)
    if request.method == "POST" and form.is_valid():
        with said_on(form):
            group = services.change_group(request.user, group, **form.changes())
            messages.success(request, f"Server group {group} is stored.")
            return redirect("nodes:group", group.pk)
    context = _head(request, group) | {"form": form, "title": f"Edit {group}", "submit": "Save"}
    return render(request, "nodes/form.html", context | {"disabled": not context["may_administer"]})


@READ_WRITE
def remove(request: HttpRequest, group_id: int) -> HttpResponse:
    """Remove an empty group."""
    group = group_or_404(request.user, group_id)
    form = RemoveForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with said_on(form):
            name, parent = group.name, group.parent
            services.remove_group(request.user, group)
            messages.success(request, f"Server group {name} is removed.")
            is_seen = parent is not None and has_role(request, Role.VIEWER, parent)
            return redirect("nodes:group", parent.pk) if parent and is_seen else redirect("home")
    context = _head(request, group) | {
        "form": form,
        "title": f"Remove {group}?",
        "text": "Only an empty server group can be removed. Its name goes, nothing else.",
        "submit": "Remove",
        "is_danger": True,
    }
    if not context["may_remove"]:
        context |= {"disabled": True, "lacking": "" if group.parent else "This needs a superuser."}
    return render(request, "nodes/form.html", context)
