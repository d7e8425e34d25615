"""One container and its interfaces."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from nodes.models import ContainerInterface
from nodes.views.gate import container_or_404
from vnetpanel.past import has_a_past


@require_safe
@has_a_past
def overview(request: HttpRequest, container_id: int) -> HttpResponse:
    """Host-routed and bridged interfaces, addresses, and the network each is in."""
    container = container_or_404(request.user, container_id)
    interfaces = (
        ContainerInterface.objects.filter(container=container, gone_at=None)
        .select_related("container", "bridge", "membership__network")
        .order_by("mode", "ifname")
    )
    context = {"container": container, "server": container.server, "interfaces": interfaces}
    return render(request, "nodes/container.html", context)
