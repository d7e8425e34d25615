"""Forgetting a server: what the panel installed there is removed, what runs there stays."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from networks.services.errors import Conflict, NotAllowed
from networks.services.forgetting import forget_server
from networks.views.gate import server_or_404
from nodes.choices import Role
from nodes.querysets import has_role


@require_http_methods(["GET", "HEAD", "POST"])
def forget(request: HttpRequest, server_id: int) -> HttpResponse:
    """Say what goes and what stays, and do it; then back to where it was asked for."""
    server = server_or_404(request.user, server_id)
    removes = request.GET.get("then") == "remove"
    if request.method == "POST":
        try:
            forget_server(request.user, server)
        except Conflict as error:
            messages.error(request, str(error))
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error
        else:
            messages.success(request, f"{server} holds nothing of the panel any more. Its network runs on.")
            return redirect("nodes:remove_server" if removes else "nodes:server", server.pk)
    context = {
        "server": server,
        "group": server.group,
        "removes": removes,
        "has_networks": server.assignments.exists(),
        "may_administer": has_role(request.user, Role.ADMIN, server.group),
    }
    return render(request, "networks/forget.html", context)
