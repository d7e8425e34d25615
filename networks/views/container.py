"""Container network parameters: host-routed and bridged adapters, their networks and addresses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from networks.container_page import (
    InterfaceShown,
    NetworkChoice,
    interfaces_shown,
    networks_offered,
    next_name,
)
from networks.domain.rules import Problem
from networks.domain.state import (
    AddAddress,
    Edit,
    InterfaceKey,
    RemoveAddress,
    RemoveInterface,
    RemoveMember,
)
from networks.forms.container import NO_NETWORK, AddressForm, MembershipForm, NewAdapterForm, Refusals
from networks.services import drafts
from networks.services.validate import added_refusals
from networks.slices import Drafted, of_server
from networks.views.gate import can_operate, stage, user_of
from nodes.models import Container
from nodes.views.gate import container_or_404
from vnetpanel.past import has_a_past

READ_WRITE = require_http_methods(["GET", "HEAD", "POST"])
ABOUT_ALL = frozenset({"windows-server", "container-gone", "no-vzctl"})
"""Codes of problems that are about the container as a whole and so about each of its interfaces."""


@require_safe
@has_a_past
def show(request: HttpRequest, container_id: int) -> HttpResponse:
    """Every adapter with its mode, network, MAC, addresses and names, and what the draft changes."""
    return _page(request, container_or_404(request.user, container_id))


def _page(
    request: HttpRequest,
    container: Container,
    bound: MembershipForm | AddressForm | None = None,
    shown: list[InterfaceShown] | None = None,
) -> HttpResponse:
    """The page; `bound` is a form that was refused, shown with its error in place of an empty one."""
    part = of_server(container.server_id, request.user)
    shown = shown if shown is not None else interfaces_shown(container, part)
    may_change = _may_change(request, container)
    networks = networks_offered(container, part) if may_change else []
    context = {
        "container": container,
        "server": container.server,
        "adapters": [_adapter(one, networks, bound, may_change) for one in shown],
        "has_any": any(one.row or one.mark or one.is_lost for one in shown),
        "may_change": may_change,
    }
    return render(request, "networks/container_network.html", context, status=422 if bound else 200)


def _adapter(
    one: InterfaceShown,
    networks: Iterable[NetworkChoice],
    bound: MembershipForm | AddressForm | None,
    may_change: bool,
) -> dict[str, Any]:
    """An interface with its forms, where it can be changed."""
    mine = bound if bound is not None and bound.key == one.key else None
    parts: dict[str, Any] = {"shown": one}
    if may_change and one.mark != "removed":
        if not one.is_host_routed:
            parts["membership"] = mine if isinstance(mine, MembershipForm) else _membership(one, networks)
        if not one.no_address:
            parts["address"] = mine if isinstance(mine, AddressForm) else _address(one, lambda key, edits: ())
    return parts


def _membership(one: InterfaceShown, networks: Iterable[NetworkChoice], data: Any = None) -> MembershipForm:
    return MembershipForm(
        data, key=one.key, now=one.network_id, networks=networks, auto_id=f"network-{one.name}-%s"
    )


def _address(one: InterfaceShown, refusals: Refusals, data: Any = None) -> AddressForm:
    return AddressForm(
        data, key=one.key, host_routed=one.is_host_routed, refusals=refusals, auto_id=f"new-{one.name}-%s"
    )


def _may_change(request: HttpRequest, container: Container) -> bool:
    server = container.server
    return server.is_managed and container.gone_at is None and can_operate(request.user, server)


def _refusals(request: HttpRequest, part: Drafted, edits: list[Edit], key: InterfaceKey) -> list[Problem]:
    """What the rules refuse about this interface because of the edits. Networks are checked by the form."""
    errands = [edit for edit in edits if not hasattr(edit, "network")]
    found = added_refusals(part, errands, [key.server], request.user)
    return [problem for problem in found if key in problem.subjects or problem.code in ABOUT_ALL]


@READ_WRITE
def add(request: HttpRequest, container_id: int) -> HttpResponse:
    """Add Network Adapter: a bridged interface, its network and address in one form."""
    container = container_or_404(request.user, container_id)
    part = of_server(container.server_id, request.user)
    form = NewAdapterForm(
        request.POST or None,
        initial={"ifname": next_name(interfaces_shown(container, part)), "network": NO_NETWORK},
        server=container.server_id,
        ctid=container.ctid,
        networks=networks_offered(container, part),
        refusals=lambda key, edits: _refusals(request, part, edits, key),
        keeps_no_addresses=container.server.vzctl_dialect == "4",
    )
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["ifname"]
        stage(request, form.edits, f"Network adapter {name} of container {container.ctid} is in your draft.")
        return redirect("networks:container_network", container.pk)
    context = {
        "container": container,
        "server": container.server,
        "form": form,
        "may_change": _may_change(request, container),
    }
    return render(request, "networks/container_adapter_new.html", context)


def _one(request: HttpRequest, container_id: int, ifname: str) -> tuple[Container, Drafted, InterfaceShown]:
    """The container, the part of the draft about its server, and the interface of that name; or 404."""
    container = container_or_404(request.user, container_id)
    part = of_server(container.server_id, request.user)
    for one in interfaces_shown(container, part):
        if one.name == ifname:
            return container, part, one
    raise Http404("There is no such network adapter.")


@READ_WRITE
def membership(request: HttpRequest, container_id: int, ifname: str) -> HttpResponse:
    """Put the interface into another virtual network, or into none."""
    if request.method != "POST":
        return redirect("networks:container_network", container_id)
    container, part, one = _one(request, container_id, ifname)
    if one.is_host_routed or one.mark == "removed":
        raise Http404("Only bridged network adapters that stay can be in a virtual network.")
    form = _membership(one, networks_offered(container, part), request.POST)
    if not form.is_valid():
        return _page(request, container, form)
    stage(request, form.edits, f"The virtual network of {ifname} is in your draft.")
    return redirect("networks:container_network", container.pk)


@READ_WRITE
def add_address(request: HttpRequest, container_id: int, ifname: str) -> HttpResponse:
    """Give the interface one more IP address."""
    if request.method != "POST":
        return redirect("networks:container_network", container_id)
    container, part, one = _one(request, container_id, ifname)
    form = _address(one, lambda key, edits: _refusals(request, part, edits, key), request.POST)
    if not form.is_valid():
        return _page(request, container, form)
    address = form.cleaned_data["address"]
    stage(request, [AddAddress(one.key, address)], f"{address} for {ifname} is in your draft.")
    return redirect("networks:container_network", container.pk)


@require_POST
def remove_address(request: HttpRequest, container_id: int, ifname: str) -> HttpResponse:
    """Take an IP address away; of one that the draft adds or removes already, the edit is taken back."""
    container, part, one = _one(request, container_id, ifname)
    wanted = request.POST.get("address", "")
    address = next((a for a in one.addresses if a.text == wanted), None)
    if address is None:
        raise Http404("There is no such IP address.")
    text = _with_length(address.text)
    edit: Edit = AddAddress(one.key, text) if address.mark == "removed" else RemoveAddress(one.key, text)
    problems = [] if address.mark else _refusals(request, part, [edit], one.key)
    if problems:
        messages.error(request, " ".join(f"{p.text} {p.hint}" for p in problems))
    else:
        stage(request, [edit], f"{address.text} of {ifname}: your draft is changed.")
    return redirect("networks:container_network", container.pk)


def _with_length(text: str) -> str:
    """Host-routed addresses are stored without their length."""
    return text if "/" in text else f"{text}/{128 if ':' in text else 32}"


@require_POST
def remove(request: HttpRequest, container_id: int, ifname: str) -> HttpResponse:
    """Take the interface away, out of its network as well; one that is only drafted is forgotten."""
    container, part, one = _one(request, container_id, ifname)
    leave: list[Edit] = [RemoveMember(one.key)] if one.network_id else []
    edits: list[Edit] = [*leave, RemoveInterface(one.key)]
    problems = [] if one.mark == "new" else _refusals(request, part, edits, one.key)
    if problems:
        messages.error(request, " ".join(f"{p.text} {p.hint}" for p in problems))
    elif one.mark == "new":
        stage(request, edits, f"{ifname} is out of your draft.")
    else:
        stage(request, edits, f"Removing {ifname} is in your draft. Nothing is removed before you apply it.")
    return redirect("networks:container_network", container.pk)


@require_POST
def keep(request: HttpRequest, container_id: int, ifname: str) -> HttpResponse:
    """Do not remove the interface after all."""
    container, _, one = _one(request, container_id, ifname)
    drafts.withdraw(user_of(request), [RemoveInterface(one.key), RemoveMember(one.key)])
    messages.success(request, f"{ifname} stays.")
    return redirect("networks:container_network", container.pk)
