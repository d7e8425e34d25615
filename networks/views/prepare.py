"""Preparing a server for a user of the panel's own: shown first, then put there, updated or taken back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from networks import gate
from networks.forms.prepare import AddressesForm, LentLoginForm, UseForm
from networks.services import preparing
from networks.views.gate import server_or_404
from nodes.choices import Role
from nodes.gate import USER
from nodes.models import DedicatedLogin, PhysicalServer
from nodes.querysets import AnyUser, has_role
from nodes.views.gate import said_on
from trust.proof import recently_proved


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password", "private_key", "passphrase")
@never_cache
@recently_proved
def prepare(request: HttpRequest, server_id: int) -> HttpResponse:
    """What is put where, letter by letter, and the ways to do it."""
    server = _administered(request, server_id)
    login = preparing.login_of(server)
    action = request.POST.get("action", "")
    forms = _forms(request.user, server, login, action, request.POST)
    if action in forms and forms[action].is_valid():
        with said_on(forms[action]):
            said = _ACTIONS[action](request.user, server, forms[action])
            messages.success(request, said)
            return redirect("networks:prepare_server", server.pk)
    takes_away = action == "remove" or request.GET.get("take") == "away"
    context = _context(server, login) | {
        "addresses": forms["key"],
        "lent": forms["remove" if takes_away else "install"],
        "use": forms["use"],
        "takes_away": takes_away and login is not None,
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "networks/prepare.html", context, status=status)


@require_safe
@never_cache
@recently_proved
def prepare_script(request: HttpRequest, server_id: int) -> HttpResponse:
    """The script that does it, for an administrator who would rather run it herself. It holds no secret."""
    server = _administered(request, server_id)
    login = preparing.login_of(server)
    if login is None:
        messages.info(request, "Make the key first: it is in the script.")
        return redirect("networks:prepare_server", server.pk)
    headers = {"Content-Disposition": f'attachment; filename="{preparing.script_file(server)}"'}
    script = preparing.script_of(server, login)
    return HttpResponse(script, content_type="text/plain; charset=utf-8", headers=headers)


def _administered(request: HttpRequest, server_id: int) -> PhysicalServer:
    server = server_or_404(request.user, server_id)
    if not has_role(request.user, Role.ADMIN, server.group):
        raise PermissionDenied("To prepare a server you need the admin role in its server group.")
    if not server.is_managed:
        raise Http404("A Windows server is inventory only.")
    return server


def _context(server: PhysicalServer, login: DedicatedLogin | None) -> dict[str, Any]:
    uses_it = login is not None and server.credential == login.credential
    context = {
        "server": server,
        "group": server.group,
        "made": login,
        "script_file": preparing.script_file(server),
        "uses_it": uses_it,
        "is_outdated": preparing.is_outdated(server),
        "version": gate.version(),
        "user": USER,
        "folder": gate.FOLDER,
        "sudoers_path": gate.SUDOERS,
        "sudoers": gate.sudoers(),
        "gate": gate.gate(),
        "programs": [(name, len(gate.program(name)) // 1024 + 1) for name in gate.PROGRAMS],
        "has_boot_files": hasattr(server, "preparation"),
    }
    if login is not None:
        context["key_line"] = preparing.key_line(server, login)
    return context


def _forms(
    user: AnyUser, server: PhysicalServer, login: DedicatedLogin | None, action: str, data: QueryDict
) -> dict[str, Form]:
    """The forms of the page, that of the action filled in."""

    def given(name: str) -> QueryDict | None:
        return data if name == action else None

    old = server.credential
    drops = old is not None and preparing.may_drop(user, old, server)
    known = login.panel_addresses if login else server.panel_address
    return {
        "key": AddressesForm(given("key"), initial={"addresses": known}),
        "install": LentLoginForm(given("install"), server=server, drops=drops),
        "use": UseForm(given("use"), server=server, drops=drops),
        "remove": LentLoginForm(given("remove"), server=server),
    }


def _make(user: AnyUser, server: PhysicalServer, form: Any) -> str:
    preparing.make_login(user, server, form.cleaned_data["addresses"])
    return "The key is made. Nothing has been sent to the server yet."


def _install(user: AnyUser, server: PhysicalServer, form: Any) -> str:
    preparing.install(user, server, form.lent(), drop_old=form.cleaned_data.get("drop_old", False))
    return f"{server} is prepared: the panel logs in as {USER}. A login that you lent was not kept."


def _use(user: AnyUser, server: PhysicalServer, form: Any) -> str:
    preparing.use(user, server, drop_old=form.cleaned_data.get("drop_old", False))
    return f"It works: the panel logs in to {server} as {USER} from now on."


def _remove(user: AnyUser, server: PhysicalServer, form: Any) -> str:
    preparing.take_away(user, server, form.lent())
    return f"The user {USER}, its key and the programs are off {server}."


_ACTIONS = {"key": _make, "install": _install, "use": _use, "remove": _remove}
