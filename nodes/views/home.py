"""The first page."""

from __future__ import annotations

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from nodes.choices import ServerState
from nodes.models import PhysicalServer, ServerGroup
from nodes.views.gate import is_admin_somewhere


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first page behind the login: the top server groups, or how to begin."""
    groups = ServerGroup.objects.visible_to(request.user).order_by("path")
    seen: set[int] = set()
    tops = []
    for group in groups:
        if not seen & set(group.ancestor_ids):
            tops.append(group)
        seen.add(group.pk)
    states = dict(
        PhysicalServer.objects.visible_to(request.user)
        .order_by()
        .values_list("state")
        .annotate(number=Count("pk"))
    )
    context = {
        "groups": tops,
        "states": [(ServerState(state), number) for state, number in sorted(states.items())],
        "may_add": is_admin_somewhere(request),
        "may_create": bool(getattr(request.user, "is_superuser", False)),
    }
    return render(request, "home.html", context)
