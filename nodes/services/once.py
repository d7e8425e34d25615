"""A login that a person gives for one connection: used at once, in the request, and kept nowhere.

This talks to the server inside the request, unlike everything else: a password or key handed to the worker
would have to lie in the broker or the database meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from nodes import ssh
from nodes.commands import Command
from nodes.models import Credential, PhysicalServer
from nodes.observe import LookFailed, target_of
from nodes.services.errors import ServiceError
from nodes.ssh import Completed, Target, keys


@dataclass(frozen=True, slots=True)
class OneTimeLogin:
    """Somebody's login, as typed in. Its repr shows no secret."""

    username: str
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    sudo: bool = False


def run_once(
    server: PhysicalServer, login: OneTimeLogin | None, command: Command, *, deadline_s: float
) -> Completed:
    """Run one command over a connection of its own, with that login or (None) with the one that is stored.

    Needs an approved host key. Raises ServiceError with the transport's reason, on the field at fault; the
    login is forgotten either way.
    """
    target = _target(server, login)
    connections = ssh.Pool()
    try:
        return connections.run(target, command, deadline_s=deadline_s, fresh=True)
    except ssh.SshError as error:
        failure = error.sentence
    finally:
        connections.close()
        # Opened keys are remembered; one that is lent must not be.
        keys.forget_opened()
    # Outside: the frames of the transport hold the secrets.
    raise ServiceError(failure, ("private_key" if login.private_key else "password") if login else None)


def _target(server: PhysicalServer, login: OneTimeLogin | None) -> Target:
    try:
        if login is None:
            target = target_of(server)
        else:
            secrets = {name: getattr(login, name) for name in ("password", "private_key", "passphrase")}
            lent = Credential(username=login.username, **secrets)
            target = replace(target_of(server, lent), sudo=login.sudo)
    except LookFailed as failure:
        raise ServiceError(failure.reason) from None
    # An identity of its own: no connection made with it is ever used for anything else.
    return replace(target, server=f"{server.pk} once")
