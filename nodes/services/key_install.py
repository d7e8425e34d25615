"""Putting the panel's key on a server with a password that is used once and stored nowhere (see once.py)."""

from __future__ import annotations

from django.db import transaction

from nodes.choices import Role
from nodes.commands import Command
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser
from nodes.services.errors import ServiceError, require_role
from nodes.services.looks import request_looks
from nodes.services.once import OneTimeLogin, run_once
from trust.audit import record

DEADLINE_S = 25.0

# The line comes on standard input. Appended only if it is not there, so that twice does no harm.
_SCRIPT = """
umask 077
IFS= read -r line || exit 1
mkdir -p "$HOME/.ssh" || exit 1
keys=$HOME/.ssh/authorized_keys
grep -qxF -- "$line" "$keys" 2>/dev/null && exit 0
[ ! -s "$keys" ] || [ -z "$(tail -c 1 "$keys")" ] || echo >>"$keys" || exit 1
printf '%s\\n' "$line" >>"$keys"
"""


def install_key(user: AnyUser, server: PhysicalServer, password: str) -> None:
    """Append the public half of the server's login to the user's authorized_keys, then look at the server.

    Needs the admin role and an approved host key. Raises ServiceError with the server's or the transport's
    reason; the password is forgotten either way.
    """
    require_role(user, Role.ADMIN, server.group)
    if server.credential is None or not server.credential.public_key:
        raise ServiceError("The server's login has no key that could be installed.")
    login = OneTimeLogin(server.credential.username, password=password)
    command = Command(("sh", "-c", _SCRIPT), f"{server.credential.public_key.strip()}\n".encode())
    done = run_once(server, login, command, deadline_s=DEADLINE_S)
    if not done.ok:
        words = " ".join(done.stderr.decode("utf-8", "replace").split())[:200]
        raise ServiceError(f"The key could not be written on the server: {words or 'it did not say why'}.")
    with transaction.atomic():
        request_looks(user, PhysicalServer.objects.filter(pk=server.pk))
        record(
            "key.installed",
            f"The key of {server.credential} was put on the server with a password used once.",
            actor=user,
            servers=[server],
        )
