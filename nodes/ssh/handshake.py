"""From a connected socket to an encrypted one: greeting and key exchange, before anybody logs in."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from nodes.ssh.algorithms import legacy_would_help, offered
from nodes.ssh.deadline import Deadline
from nodes.ssh.errors import NotAnSshServer, OldAlgorithms, SshError, Unreachable
from nodes.ssh.tcp import SshSocket

# At DEBUG paramiko logs every packet. Its transports also log each failure with a traceback of a dozen lines,
# for every unreachable server and every minute, which our typed errors make superfluous. Levels that somebody
# has set already stay.
for name, level in (("paramiko", logging.WARNING), ("paramiko.transport", logging.CRITICAL)):
    if logging.getLogger(name).level == logging.NOTSET:
        logging.getLogger(name).setLevel(level)

# OpenSSH's words when it sheds load (MaxStartups, PerSourceMaxStartups) in place of a greeting.
_SHEDDING = (b"Exceeded MaxStartups", b"Not allowed at this time")


def greet(
    sock: SshSocket, legacy: bool, key_names: tuple[str, ...], deadline: Deadline, place: str
) -> paramiko.Transport:
    """An encrypted connection over `sock`, nobody logged in, the host key NOT yet compared.

    `key_names` are host key algorithms in order of preference. Closes the socket and raises Unreachable,
    NotAnSshServer or OldAlgorithms if the deadline passes or the server cannot do it. The server has learnt
    nothing but our version and algorithms.
    """
    transport = _prepare(sock, legacy, key_names, deadline)
    done = threading.Event()
    transport.start_client(event=done)
    in_time = done.wait(deadline.left())
    if in_time and transport.is_active():
        sock.greeted = True
        return transport
    failure = _explain(sock, transport.get_exception() if in_time else None, in_time, legacy, place)
    hang_up(transport)
    raise failure


def hang_up(transport: paramiko.Transport) -> None:
    """Close the connection and let its thread end first.

    The thread sleeps in poll(2), which looks the descriptor up anew when it wakes: were it closed and its
    number taken by the next connection by then, the thread would sleep on, on that one.
    """
    with contextlib.suppress(OSError):
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.join(1.0)
    transport.close()
    transport.sock.close()


def _prepare(
    sock: SshSocket, legacy: bool, key_names: tuple[str, ...], deadline: Deadline
) -> paramiko.Transport:
    algorithms = offered(legacy)
    transport = paramiko.Transport(sock, disabled_algorithms={"pubkeys": list(algorithms.disabled_pubkeys)})
    options = transport.get_security_options()
    options.kex = algorithms.kex
    options.key_types = key_names
    options.ciphers = algorithms.ciphers
    options.digests = algorithms.macs
    # paramiko's own limits end its thread should ours be missed; they must not end it before.
    transport.banner_timeout = transport.handshake_timeout = deadline.left() + 1
    transport.clear_to_send_timeout = 10.0
    return transport


def _explain(sock: SshSocket, error: Exception | None, in_time: bool, legacy: bool, place: str) -> SshError:
    """What stopped the handshake, told from what the server has sent so far and paramiko's exception."""
    if sock.fault:
        return Unreachable(sock.fault, reason="packet_too_large")
    if isinstance(error, IncompatiblePeer):
        return _no_agreement(sock.head, legacy, place)
    if any(words in sock.head for words in _SHEDDING):
        return Unreachable(
            f"{place} takes no more logins at the moment (MaxStartups). Try again later.",
            reason="too_many_logins",
        )
    if sock.received and b"SSH-" not in sock.head:
        return NotAnSshServer(
            f"What answers at {place} is not an SSH server. Check the address and the port."
        )
    if not in_time and not sock.received:
        return Unreachable(
            f"{place} takes the connection but sends no SSH greeting. The server may be overloaded or hang.",
            reason="silent",
        )
    if not sock.received:
        return Unreachable(
            f"{place} hangs up at once. Do its hosts.allow, firewall or fail2ban keep the panel out?",
            reason="closed",
        )
    return Unreachable(
        f"{place} broke off while the encryption was set up{'' if in_time else ' (out of time)'}."
        " The server may be overloaded; see its sshd's log.",
        reason="handshake",
    )


def _no_agreement(head: bytes, legacy: bool, place: str) -> SshError:
    """No algorithm in common, or SSH 1: say whether ticking legacy SSH would help."""
    if b"SSH-2.0-" not in head and b"SSH-1.99-" not in head:
        return NotAnSshServer(
            f"{place} speaks only version 1 of SSH, which is broken. Allow version 2 in its sshd_config."
        )
    if not legacy and legacy_would_help(head):
        return OldAlgorithms(
            f"{place} offers only old SSH algorithms. If it is an OpenVZ 6 server, tick “Legacy SSH” on it;"
            " if not, update its SSH server.",
        )
    return OldAlgorithms(
        f"{place} and the panel have no SSH algorithm in common. Allow one of curve25519-sha256 with"
        " aes128-gcm@openssh.com in its sshd_config, and an ed25519, ECDSA or RSA host key.",
        reason="no_common_algorithm",
    )
