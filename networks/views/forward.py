"""Servers that are behind: brought forward by a button."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from networks.services import forward
from networks.services.errors import Conflict, NotAllowed
from networks.views.gate import server_or_404, user_of


@require_POST
def bring_forward(request: HttpRequest, server_id: int) -> HttpResponse:
    """Review what would bring the server to what was decided."""
    server = server_or_404(request.user, server_id)
    try:
        change = forward.bring_forward(user_of(request), server)
    except Conflict as error:
        messages.info(request, str(error))
        return redirect("nodes:server", server.pk)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    return redirect("networks:change", change.pk)
