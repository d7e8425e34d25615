"""A new connection: reach the server, compare its host key, and only then log in."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

import paramiko

from nodes.ssh import hostkey
from nodes.ssh.algorithms import offered, pinned_first, signs_rsa_with_sha1_only
from nodes.ssh.deadline import Deadline
from nodes.ssh.errors import (
    ConnectionLost,
    KeyNotReadable,
    LoginRefused,
    OldAlgorithms,
    SshError,
    Unreachable,
)
from nodes.ssh.handshake import greet, hang_up
from nodes.ssh.keys import login_key
from nodes.ssh.target import Target
from nodes.ssh.tcp import SshSocket, connect

# A waiting transport wakes this often for its keepalive. paramiko's own 0.1 s would keep a processor busy
# with a few hundred connections; closing does not wait for it.
IDLE_WAKE_S = 5.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of the steps of connecting, in seconds. A run's own deadline shortens them, never lengthens."""

    connect_s: float = 10.0
    banner_s: float = 10.0
    auth_s: float = 10.0
    open_s: float = 10.0
    # Shorter over a connection that was idle: silence there means that it is dead, and a new one follows.
    reopen_s: float = 5.0
    keepalive_s: float = 15.0


@dataclass(slots=True)
class Connection:
    """A connection that is logged in. `id` is unique for ever; `users` counts the runs on it just now."""

    transport: paramiko.Transport = field(repr=False)
    sock: SshSocket = field(repr=False)
    version: str = field(repr=False)
    connect_seconds: float
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    users: int = 0
    retired: bool = False

    @property
    def alive(self) -> bool:
        return self.transport.is_active()

    def close(self) -> None:
        """Hang up. Whatever still runs on it is cut."""
        hang_up(self.transport)


def dial(target: Target, deadline: Deadline, timeouts: Timeouts = Timeouts()) -> Connection:
    """Log in to a server over a new connection.

    Raises HostKeyUnknown or HostKeyChanged before a user name or secret is sent, and Unreachable,
    NotAnSshServer, OldAlgorithms, LoginRefused or ConnectionLost.
    """
    started = time.monotonic()
    place = f"{target.address} port {target.port}"
    hostkey.require_approved(target.host_keys, place)
    sock = connect(target.address, target.port, deadline.step(timeouts.connect_s))
    names = pinned_first(offered(target.legacy), [key.type for key in target.host_keys])
    transport = greet(sock, target.legacy, names, deadline.step(timeouts.banner_s), place)
    try:
        hostkey.check(hostkey.shown_by(transport), target.host_keys, place)
        _log_in(transport, target, deadline.step(timeouts.auth_s))
    except BaseException:
        hang_up(transport)
        raise
    transport.set_keepalive(int(timeouts.keepalive_s))
    sock.settimeout(IDLE_WAKE_S)
    return Connection(transport, sock, target.version, time.monotonic() - started)


def _log_in(transport: paramiko.Transport, target: Target, deadline: Deadline) -> None:
    """Log in with the key, with the password, or with one after the other."""
    credential = target.credential
    ways = [way for way in ("private_key", "password") if getattr(credential, way)]
    if not ways:
        raise LoginRefused(
            f"There is nothing to log in with for {target.username}. Enter a private key or a password.",
            reason="no_credential",
        )
    failure: SshError | None = None
    for way in ways:
        transport.auth_timeout = max(0.1, deadline.left())
        failure = _try(transport, target, way, deadline)
        if failure is None:
            return
        if not isinstance(failure, LoginRefused):
            break
    assert failure is not None  # noqa: S101 - ways is not empty
    raise failure


def _try(transport: paramiko.Transport, target: Target, way: str, deadline: Deadline) -> SshError | None:
    """One attempt; the reason why it failed, or None. An exception of paramiko's never leaves this function:
    its frames hold the password."""
    try:
        if way == "password":
            more = transport.auth_password(target.username, target.credential.password)
        else:
            more = _show_key(transport, target)
    except SshError as error:
        return error
    except KeyNotReadable as error:
        return LoginRefused(f"The stored private key cannot be used. {error.sentence}", reason="bad_key")
    except paramiko.BadAuthenticationType as error:
        return _method_refused(target, way, error.allowed_types)
    except (paramiko.SSHException, EOFError, OSError):
        return _explain(transport, target, way, deadline)
    if more:
        return LoginRefused(
            f"The server wants a second proof of {target.username} after the"
            f" {_words(way)} ({', '.join(more)}). Allow this login with one proof.",
            reason="second_factor",
        )
    return None


def _show_key(transport: paramiko.Transport, target: Target) -> list[str]:
    """Log in with the key; paramiko's answer (methods still wanted) and exceptions.

    An RSA key signs with SHA-2, and with legacy SSH also with SHA-1: at once where the server knows nothing
    else, and as a second attempt where it does not say what it takes.
    """
    key = login_key(target.credential.private_key, target.credential.passphrase)
    if key.get_name() != "ssh-rsa":
        return transport.auth_publickey(target.username, key)
    if not signs_rsa_with_sha1_only(transport.remote_version):
        try:
            return transport.auth_publickey(target.username, key)
        except paramiko.BadAuthenticationType:
            raise
        except paramiko.AuthenticationException:
            if not target.legacy or not transport.is_active():
                raise
    elif not target.legacy:
        raise OldAlgorithms(
            f"{target.address} takes RSA keys only with the old SHA-1 signature. Use an ed25519 or ECDSA key,"
            " or tick “Legacy SSH” if it is an OpenVZ 6 server."
        )
    transport.disabled_algorithms = {"pubkeys": ["rsa-sha2-512", "rsa-sha2-256"]}
    return transport.auth_publickey(target.username, key)


def _words(way: str) -> str:
    return "key" if way == "private_key" else "password"


def _method_refused(target: Target, way: str, allowed: list[str]) -> SshError:
    setting = "PubkeyAuthentication" if way == "private_key" else "PasswordAuthentication, PermitRootLogin"
    return LoginRefused(
        f"The server takes no {_words(way)} for {target.username}, only {', '.join(allowed) or 'nothing'}."
        f" Choose another credential, or allow it in the server's sshd_config ({setting}).",
        reason="method_refused",
    )


def _explain(transport: paramiko.Transport, target: Target, way: str, deadline: Deadline) -> SshError:
    """Why a login failed, when it was not the method itself."""
    if isinstance(transport.sock, SshSocket) and transport.sock.fault:
        return ConnectionLost(transport.sock.fault, reason="packet_too_large")
    if not transport.is_active():
        return ConnectionLost(
            f"{target.address} hung up during the login of {target.username}. See its sshd's log.",
            reason="lost_at_login",
        )
    if deadline.passed:
        return Unreachable(
            f"{target.address} did not finish the login of {target.username} in time. It may be overloaded,"
            " or waits for a name server (UseDNS) or for PAM.",
            reason="login_timeout",
        )
    remedy = (
        f"Is the public key in the authorized_keys of {target.username}, and may {target.username} log in"
        " (PermitRootLogin, AllowUsers)?"
        if way == "private_key"
        else f"Is the password right, and may {target.username} log in with one (PermitRootLogin)?"
    )
    return LoginRefused(f"The server refused the {_words(way)} of {target.username}. {remedy}")
