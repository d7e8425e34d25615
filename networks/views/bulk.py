"""One network assigned on many servers in one draft."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from networks.bulk import OnServer, Target, on_servers
from networks.domain.state import Network
from networks.offers import network_names
from networks.slices import of_cells
from networks.views.gate import network_or_404, refused_of, stage
from networks.views.subjects import with_links
from nodes.models import PhysicalServer, ServerGroup

MOST = 500
"""Servers that are listed at once; a group or a filter narrows what is more."""


class BulkForm(forms.Form):
    """Which servers, and where the network goes on each."""

    group = forms.ModelChoiceField(
        ServerGroup.objects.none(),
        required=False,
        label="Server group",
        empty_label="All that you may operate",
    )
    server = forms.CharField(required=False, max_length=100, label="Name has")
    adapter = forms.CharField(
        required=False,
        max_length=15,
        label="Network adapter",
        help_text="Such as eth0; it must exist on the server. Left empty: local.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    vid = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=4094,
        label="VLAN id",
        help_text="Its VLAN adapter is used, and made where there is none.",
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = ServerGroup.objects.operable_by(user).order_by("path")
        self.fields["group"].queryset = groups  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """A VLAN id needs an adapter that it is on."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("vid") and not data.get("adapter", "").strip():
            self.add_error("adapter", "Enter the NIC or bond that the VLAN is on.")
        return data


@require_http_methods(["GET", "HEAD", "POST"])
def assign_many(request: HttpRequest, network_id: uuid.UUID) -> HttpResponse:
    """First which servers and where to, then a list with a tick for each; posted, the ticked ones."""
    network = network_or_404(request.user, network_id)
    asked = request.POST if request.method == "POST" else request.GET
    form = BulkForm(asked if "adapter" in asked else None, user=request.user)
    found: list[OnServer] = []
    refused: list[Any] = []
    if form.is_bound and form.is_valid():
        found = _found(request, network, form.cleaned_data)
        if request.method == "POST":
            ticked = set(request.POST.getlist("on"))
            chosen = [one for one in found if one.edits and str(one.server.pk) in ticked]
            edits = [edit for one in chosen for edit in one.edits]
            refused = with_links(refused_of(request, edits), request.user)
            if edits and not refused:
                many = "s" if len(chosen) > 1 else ""
                stage(request, edits, f"{network.name} on {len(chosen)} server{many} is in your draft.")
                return redirect("networks:configure", network.id)
            if not edits:
                messages.info(request, "Tick at least one server.")
    context = {"network": network, "form": form, "found": found, "refused": refused, "most": MOST}
    return render(request, "networks/assign_many.html", context, status=422 if refused else 200)


def _found(request: HttpRequest, network: Network, data: dict[str, Any]) -> list[OnServer]:
    servers = PhysicalServer.objects.operable_by(request.user).order_by("name")
    if data["group"]:
        servers = servers.inside(data["group"])
    if text := data["server"].replace("\0", "").strip():
        servers = servers.filter(name__icontains=text)
    page = list(servers[:MOST])
    part = of_cells([server.pk for server in page], [network.id], request.user)
    target = Target(data["adapter"].strip(), data["vid"])
    return on_servers(page, network.id, target, part, network_names(part.drafted))
