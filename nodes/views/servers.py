"""Physical servers: overview with live state, containers, editing, removing."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from nodes import services
from nodes.choices import HostKeyState, Role
from nodes.forms.groups import RemoveForm
from nodes.forms.servers import ServerForm
from nodes.models import Container, Look, PhysicalServer
from nodes.services.errors import NotAllowed, ServiceError
from nodes.tables import ContainerTable, ServerTable
from nodes.views.gate import has_role, is_admin_somewhere, said_on, server_or_404
from nodes.views.lists import answered, matching, paged, text_filter, with_interfaces
from trust import proof
from trust.proof import recently_proved
from vnetpanel.htmx import wants_fragment
from vnetpanel.past import has_a_past

READ_WRITE = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def all_servers(request: HttpRequest) -> HttpResponseBase:
    """Every server that the user may see."""
    text = text_filter(request)
    rows = PhysicalServer.objects.visible_to(request.user).select_related("group")
    table = ServerTable(matching(rows, text, "name", "address", "hostname"))
    if response := answered(request, table, "servers"):
        return response
    context = {"table": paged(request, table), "q": text, "may_add": is_admin_somewhere(request)}
    return render(request, "nodes/servers.html", context)


def _head(request: HttpRequest, server: PhysicalServer) -> dict[str, Any]:
    return {
        "server": server,
        "group": server.group,
        "may_operate": has_role(request, Role.OPERATOR, server.group),
        "may_administer": has_role(request, Role.ADMIN, server.group),
    }


@require_safe
def overview(request: HttpRequest, server_id: int) -> HttpResponse:
    """What is known of the server, and how the last look went."""
    server = server_or_404(request.user, server_id)
    look = Look.objects.filter(server=server).defer("facts").first()
    context = _head(request, server) | {
        "look": look,
        "findings": look.findings if look else [],
        "host_key": server.host_keys.filter(state=HostKeyState.PINNED).first(),
        "is_looking": server.awaits_look,
    }
    return render(request, "nodes/server.html", context)


@require_safe
def state(request: HttpRequest, server_id: int) -> HttpResponse:
    """The state line alone, polled while a look is under way; unchanged answers are 304."""
    server = server_or_404(request.user, server_id)
    is_looking = server.awaits_look
    etag = f'"{request.user.pk}-{server.pk}-{server.state}-{server.looked_at}-{is_looking}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers={"ETag": etag})
    context = {"server": server, "is_looking": is_looking}
    response = render(request, "nodes/inc/server_state.html", context)
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    if request.GET.get("was") == "looking" and not is_looking:
        # The page around it shows what the look before found.
        response["HX-Refresh"] = "true"
    return response


@require_POST
def look(request: HttpRequest, server_id: int) -> HttpResponse:
    """Look at the server now."""
    server = server_or_404(request.user, server_id)
    back = "nodes:preflight" if request.POST.get("back") == "preflight" else "nodes:server"
    try:
        services.request_look(request.user, server)
    except NotAllowed as error:
        raise PermissionDenied(error.message) from error
    except ServiceError as error:
        messages.error(request, error.message)
        if wants_fragment(request):
            # htmx would follow a redirect unseen and put the whole page into the place of the state.
            return HttpResponseClientRedirect(resolve_url(back, server.pk))
    else:
        if wants_fragment(request):
            server.refresh_from_db()
            context = {"server": server, "is_looking": True}
            return render(request, "nodes/inc/server_state.html", context)
        if back == "nodes:server":
            messages.info(request, f"{server} is being looked at.")
    return redirect(back, server.pk)


@require_safe
@has_a_past
def containers(request: HttpRequest, server_id: int) -> HttpResponseBase:
    """Containers of the server."""
    server = server_or_404(request.user, server_id)
    text = text_filter(request)
    rows = Container.objects.filter(server=server, gone_at=None)
    table = ContainerTable(with_interfaces(matching(rows, text, "ctid", "name", "hostname")))
    table.hidden_here = ("server",)
    if response := answered(request, table, f"containers-{server.pk}"):
        return response
    context = _head(request, server) | {"table": paged(request, table), "q": text}
    return render(request, "nodes/server_containers.html", context)


@READ_WRITE
def edit(request: HttpRequest, server_id: int) -> HttpResponse:
    """Name, group, address, login and the rest of what people decide about a server."""
    server = server_or_404(request.user, server_id)
    form = ServerForm(request.POST or None, user=request.user, server=server)
    if request.method == "POST" and form.is_valid():
        if "credential" in form.changed_data and not proof.is_proved(request):
            return proof.ask(request)
        with said_on(form):
            services.change_server(request.user, server, **form.changes())
            messages.success(request, f"{server} is stored.")
            return redirect("nodes:server", server.pk)
    context = _head(request, server) | {"form": form, "title": f"Edit {server}", "submit": "Save"}
    return render(request, "nodes/form.html", context | {"disabled": not context["may_administer"]})


@READ_WRITE
@recently_proved
def remove(request: HttpRequest, server_id: int) -> HttpResponse:
    """Forget a server; refused while virtual networks are on it."""
    server = server_or_404(request.user, server_id)
    form = RemoveForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with said_on(form):
            name, group = server.name, server.group_id
            services.remove_server(request.user, server)
            messages.success(request, f"{name} is removed. Nothing was changed on the server itself.")
            return redirect("nodes:group", group)
    context = _head(request, server) | {
        "form": form,
        "title": f"Remove {server}?",
        "text": "The panel forgets the server, its adapters and its containers. The server itself is not "
        "touched, and its history stays.",
        "submit": "Remove",
        "is_danger": True,
    }
    return render(request, "nodes/form.html", context | {"disabled": not context["may_administer"]})
