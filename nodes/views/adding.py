"""Adding a server: where and how, its host key compared and approved, then what still stands in the way.

Nothing is sent to the server before its host key is approved.
"""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from nodes import services
from nodes.choices import HostKeyState, Role, ServerState
from nodes.forms.servers import AddServerForm, OneTimePasswordForm
from nodes.models import PhysicalServer, ServerGroup
from nodes.services.errors import NotAllowed, ServiceError
from nodes.views.gate import has_role, needs_admin_somewhere, said_on, server_or_404
from trust import proof
from trust.proof import recently_proved
from vnetpanel.htmx import polled, wants_fragment

READ_WRITE = require_http_methods(["GET", "HEAD", "POST"])
WITHOUT_KEY = (ServerState.NEW, ServerState.HOST_KEY_CHANGED)
"""States of servers to which nothing is sent until a person has approved a host key."""


@READ_WRITE
@sensitive_post_parameters("password", "private_key", "passphrase")
@never_cache
@recently_proved
def add(request: HttpRequest) -> HttpResponse:
    """Register a server; a Linux one goes on to its host key."""
    needs_admin_somewhere(request, "Adding a physical server")
    may = ServerGroup.objects.administered_by(request.user).exists()
    form = AddServerForm(request.POST or None, user=request.user, initial={"group": request.GET.get("group")})
    if request.method == "POST" and form.is_valid():
        with said_on(form):
            server = form.store(request.user)
            if server.is_managed:
                return redirect("nodes:host_key", server.pk)
            messages.success(request, f"{server} is registered. Enter its adapters in the administration.")
            return redirect("nodes:server", server.pk)
    if form.is_bound:
        form.ask_for_secrets_again()
    return render(request, "nodes/add_server.html", {"form": form, "may_add": may})


@READ_WRITE
@vary_on_headers("HX-Request")
@polled
def host_key(request: HttpRequest, server_id: int) -> HttpResponse:
    """The key that the server presented: to be compared, and approved or not."""
    server = server_or_404(request.user, server_id)
    keys = list(server.host_keys.select_related("decided_by").order_by("-seen_at"))
    offered = next((key for key in keys if key.state == HostKeyState.OFFERED), None)
    is_changed = any(key.state == HostKeyState.PINNED for key in keys)
    is_open = server.state in WITHOUT_KEY
    if request.method == "POST" and offered is None:
        # Decided already, perhaps by the first of two clicks.
        return redirect("nodes:preflight" if is_changed else "nodes:host_key", server.pk)
    if request.method == "POST" and offered is not None:
        # What is approved is what was shown, not what came in between.
        if request.POST.get("sha256") != offered.sha256:
            messages.error(request, "Another key was offered meanwhile. Compare it anew.")
            return redirect("nodes:host_key", server.pk)
        try:
            if request.POST.get("decision") == "approve":
                if is_changed and not proof.is_proved(request):
                    return proof.ask(request)
                services.approve_host_key(request.user, offered)
                return redirect("nodes:preflight", server.pk)
            services.refuse_host_key(request.user, offered)
            messages.info(request, "The key is refused. Nothing was sent to the server.")
        except NotAllowed as error:
            raise PermissionDenied(error.message) from error
        except ServiceError as error:
            messages.error(request, error.message)
        return redirect("nodes:host_key", server.pk)
    context = {
        "server": server,
        "group": server.group,
        "offered": offered,
        "pinned": next((key for key in keys if key.state == HostKeyState.PINNED), None),
        # Without an approved key, or with another one presented since, each look reads the key anew.
        "is_waiting": offered is None and is_open and server.is_managed and server.is_enabled,
        "is_open": is_open,
        "may_administer": has_role(request, Role.ADMIN, server.group),
        "public_key": _key_to_install(request, server),
    }
    return render(
        request, "nodes/host_key.html#live" if wants_fragment(request) else "nodes/host_key.html", context
    )


def _key_to_install(request: HttpRequest, server: PhysicalServer) -> str:
    """The public half of the server's login as long as the login has not worked; for those who may set it."""
    waits = (ServerState.NEW, ServerState.WAITING, ServerState.LOGIN_REFUSED)
    if server.credential is None or server.state not in waits:
        return ""
    return server.credential.public_key if has_role(request, Role.ADMIN, server.group) else ""


@require_POST
def read_host_key(request: HttpRequest, server_id: int) -> HttpResponse:
    """Read the host key again, without logging in."""
    server = server_or_404(request.user, server_id)
    try:
        services.ask_host_key(request.user, server)
        messages.info(request, f"The host key of {server} is being read, without logging in.")
    except NotAllowed as error:
        raise PermissionDenied(error.message) from error
    except ServiceError as error:
        messages.error(request, error.message)
    return redirect("nodes:host_key", server.pk)


@require_POST
@sensitive_post_parameters("password")
@partial(recently_proved, back_to="nodes:preflight")
def install_key(request: HttpRequest, server_id: int) -> HttpResponse:
    """Put the panel's key on the server with a password that is used for this and forgotten."""
    server = server_or_404(request.user, server_id)
    form = OneTimePasswordForm(request.POST)
    try:
        if form.is_valid():
            services.install_key(request.user, server, form.cleaned_data["password"])
            messages.success(request, "The key is on the server. The password was not stored.")
        else:
            messages.error(request, "Enter the password with which the key is to be put on the server.")
    except NotAllowed as error:
        raise PermissionDenied(error.message) from error
    except ServiceError as error:
        messages.error(request, f"The key is not on the server. {error.message}")
    return redirect("nodes:preflight", server.pk)


@require_safe
@vary_on_headers("HX-Request")
@polled
def preflight(request: HttpRequest, server_id: int) -> HttpResponse:
    """What stands between the server and its first Change, line by line."""
    server = server_or_404(request.user, server_id)
    checks = services.preflight(server)
    context = {
        "server": server,
        "group": server.group,
        "checks": checks,
        "failed": sum(check.status == services.Status.FAIL for check in checks),
        "is_live": server.awaits_look,
        "may_operate": has_role(request, Role.OPERATOR, server.group),
        "may_administer": has_role(request, Role.ADMIN, server.group),
        "public_key": _key_to_install(request, server),
        "password_form": OneTimePasswordForm(),
        "is_host_key_open": server.state in WITHOUT_KEY,
    }
    return render(
        request, "nodes/preflight.html#live" if wants_fragment(request) else "nodes/preflight.html", context
    )
