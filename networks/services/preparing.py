"""Preparing a server: a user of the panel's own there, who may run three root-owned programs only.

An administrator's login puts it there, updates it and takes it away; the panel's own cannot. The lent one
is used for one connection and kept nowhere (nodes/services/once.py).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from networks import gate
from networks.choices import IDLE_OPERATION_STATES
from networks.models import Operation
from networks.services.queueing import told_as
from nodes import ssh
from nodes.choices import Role
from nodes.commands import Command
from nodes.facts import ServerFacts
from nodes.gate import USER, gate_command, require_gate
from nodes.models import Credential, DedicatedLogin, PhysicalServer
from nodes.names import clean
from nodes.observe import LOOK_DEADLINE_S, LookFailed, target_of
from nodes.probe import new_nonce
from nodes.probe_output import UnreadableLook, parse_look
from nodes.querysets import AnyUser
from nodes.services import change_server, request_look
from nodes.services.credentials import Secrets, free_name, save_credential
from nodes.services.errors import ServiceError, require_role
from nodes.services.once import OneTimeLogin, run_once
from trust.audit import record
from trust.watch import delete_untold

DEADLINE_S = 60.0
LONGEST_WORDS = 600


def login_of(server: PhysicalServer) -> DedicatedLogin | None:
    """The key that was made for the server, whether or not the panel logs in with it yet."""
    return DedicatedLogin.objects.select_related("credential").filter(server=server).first()


def is_outdated(server: PhysicalServer) -> bool:
    """The panel gets in by its own user, and the last look found programs of another version."""
    return server.by_gate and server.programs != gate.version()


def key_line(server: PhysicalServer, login: DedicatedLogin) -> str:
    """The line of authorized_keys that lets the panel in there."""
    key = login.credential.public_key
    return gate.authorized_keys(key, login.panel_addresses, old=server.legacy_ssh)


def script_of(server: PhysicalServer, login: DedicatedLogin) -> str:
    """The script that prepares the server, or brings it up to date."""
    return gate.preparation(login.credential.public_key, login.panel_addresses, old=server.legacy_ssh)


def script_file(server: PhysicalServer) -> str:
    """What the script is called as a file; no two servers' scripts are called the same."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", server.name):
        return f"prepare-{server.name}.sh"
    # Under another server's name it would be run there, and give it the other's key. The number tells apart
    # what a file's name cannot keep, and no name that is kept as it is has an underscore.
    return f"prepare-{slugify(server.name) or 'server'}_{server.pk}.sh"


def make_login(user: AnyUser, server: PhysicalServer, addresses: str) -> DedicatedLogin:
    """Make the key of the panel's user on this server, or say anew from where it may be used.

    Needs the admin role. Nothing is sent to the server. ServiceError names the field `addresses`.
    """
    require_role(user, Role.ADMIN, server.group)
    return store_login(server, addresses, user)


def store_login(server: PhysicalServer, addresses: str, actor: Any) -> DedicatedLogin:
    """As `make_login`, for whoever need not be asked: `actor` is a user or words for the audit trail."""
    if not server.is_managed:
        raise ServiceError(f"{server} is a Windows server: the panel does not log in to it.")
    try:
        checked = gate.checked_addresses(addresses)
    except ValueError as error:
        raise ServiceError(str(error), "addresses") from None
    with transaction.atomic():
        login = DedicatedLogin.objects.select_for_update().filter(server=server).first()
        if login is None:
            name = free_name(f"{USER} on {server.name}"[:90])
            credential = Credential(name=name, username=USER, group=server.group, by_gate=True)
            save_credential(credential, Secrets(private_key=ssh.make_key_pair().private))
            login = DedicatedLogin(server=server, credential=credential)
        login.panel_addresses = checked
        login.save()
        text = f"A key for the user {USER} on {server} was made, to be used from {checked}."
        record("server.login_made", text, actor=actor, servers=[server])
    return login


def install(
    user: AnyUser, server: PhysicalServer, lent: OneTimeLogin | None, *, drop_old: bool = False
) -> None:
    """Prepare the server, or bring it up to date, and log in as the panel's user from then on.

    `lent`: an administrator's login for this one connection; None: the stored one, if that is not the panel's
    user already. Needs the admin role. ServiceError says what was refused, in the server's words if any.
    """
    login = _ready(user, server)
    _run(server, lent, script_of(server, login), "prepared")
    with transaction.atomic():
        DedicatedLogin.objects.filter(pk=login.pk).update(installed_at=timezone.now())
        how = f"as {lent.username}, with a login used once" if lent else f"with {server.credential}"
        text = f"The panel's programs (version {gate.version()}) were put on {server} {how}."
        plan = f"{key_line(server, login)}\n{gate.sudoers()}"
        record("server.prepared", text, actor=user, servers=[server], plan=plan)
    use(user, server, drop_old=drop_old)


def use(user: AnyUser, server: PhysicalServer, *, drop_old: bool = False) -> None:
    """Log in as the panel's user from now on, once a look through the gate has proved that it works.

    Needs the admin role. `drop_old`: remove the login used so far if no other server uses it. ServiceError
    says why it does not work; then the panel logs in as before.
    """
    login = _ready(user, server)
    facts = _proved(server, login)
    old = server.credential
    with transaction.atomic():
        if old != login.credential:
            change_server(user, server, credential=login.credential, use_sudo=False)
        PhysicalServer.objects.filter(pk=server.pk).update(
            programs=facts.programs, panel_address=facts.panel_address
        )
        if drop_old and old is not None and may_drop(user, old, server):
            old.delete()
    server.refresh_from_db()
    if server.is_enabled:
        request_look(user, server)


def take_away(user: AnyUser, server: PhysicalServer, lent: OneTimeLogin | None) -> None:
    """Remove the user, its key, the programs and the sudoers file; the panel's key is forgotten as well.

    Needs the admin role. The server is left without a login of the panel's if that was the one it had.
    """
    login = _ready(user, server)
    _run(server, lent, gate.removal(), "freed of it")
    with transaction.atomic():
        if server.credential == login.credential:
            change_server(user, server, credential=None)
        PhysicalServer.objects.filter(pk=server.pk).update(programs="")
        credential = login.credential
        delete_untold(DedicatedLogin.objects.filter(pk=login.pk))
        if not credential.servers.exists():
            credential.delete()
        text = f"The user {USER} and the panel's programs were removed from {server}."
        record("server.unprepared", text, actor=user, servers=[server])
    server.refresh_from_db()


def may_drop(user: AnyUser, credential: Credential, server: PhysicalServer) -> bool:
    """Whether the user may remove the login, only this server uses it, and it is not the panel's own."""
    others = credential.servers.exclude(pk=server.pk)
    if credential.by_gate or others.exists():
        return False
    return Credential.objects.administered_by(user).filter(pk=credential.pk).exists()


def _ready(user: AnyUser, server: PhysicalServer) -> DedicatedLogin:
    require_role(user, Role.ADMIN, server.group)
    login = login_of(server)
    if login is None:
        raise ServiceError("Make the key first.")
    open_part = Operation.objects.filter(server=server).exclude(state__in=IDLE_OPERATION_STATES)
    if busy := open_part.select_related("change").first():
        raise ServiceError(f"{told_as(busy.change, user)} is under way on {server}. Wait for its end.")
    return login


def _run(server: PhysicalServer, lent: OneTimeLogin | None, script: str, what: str) -> None:
    """Have root run the script; ServiceError in the server's words unless it has done what it says."""
    if lent is None and server.by_gate:
        raise ServiceError(f"The user {USER} cannot change its own programs: lend an administrator's login.")
    command = Command(("sh", "-s"), stdin=script.encode())
    done = run_once(server, lent, command, deadline_s=DEADLINE_S)
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if done.ok and lines[-1:] == ["done=0"]:
        return
    errors = [line.removeprefix("error=") for line in lines if line.startswith("error=")]
    words = " ".join(errors) or done.stderr.decode("utf-8", "replace") or "it did not say why"
    words = clean(re.sub(r"\s+", " ", words).strip(), LONGEST_WORDS)
    raise ServiceError(f"The server was not {what}: {words}")


def _proved(server: PhysicalServer, login: DedicatedLogin) -> ServerFacts:
    """What a look by the panel's user brings, over a connection of its own."""
    nonce = new_nonce()
    connections = ssh.Pool()
    try:
        target = replace(target_of(server, login.credential), server=f"{server.pk} as {USER}")
        command = gate_command("probe", arguments=nonce)
        done = connections.run(target, command, deadline_s=LOOK_DEADLINE_S, fresh=True)
        require_gate(server.name, done)
        facts = parse_look(done.stdout, nonce)
    except ssh.SshError as error:
        raise ServiceError(_not_proved(server, login, error.sentence)) from None
    except (LookFailed, UnreadableLook) as error:
        raise ServiceError(_not_proved(server, login, error.reason)) from None
    finally:
        connections.close()
    if facts.programs != gate.version():
        words = f"its programs are of version {facts.programs or 'unknown'}, not {gate.version()}"
        raise ServiceError(_not_proved(server, login, f"{words}. Run the present script there."))
    return facts


def _not_proved(server: PhysicalServer, login: DedicatedLogin, words: str) -> str:
    return (
        f"The panel cannot work as {USER} on {server} and logs in as before: {words} The key is let in from "
        f"{login.panel_addresses} only: is that where the server sees the panel?"
    )
