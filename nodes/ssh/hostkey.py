"""Host keys: how a server proves that it is the one whose key somebody approved."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, NamedTuple

from nodes.ssh.algorithms import of_type, offered
from nodes.ssh.deadline import Deadline
from nodes.ssh.errors import HostKeyChanged, HostKeyUnknown, OldAlgorithms
from nodes.ssh.handshake import greet, hang_up
from nodes.ssh.tcp import connect

if TYPE_CHECKING:
    import paramiko

KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)


class HostKey(NamedTuple):
    """A server's public key: its type and its base64 text, as in a known_hosts line."""

    type: str
    base64: str

    @property
    def sha256(self) -> str:
        """The fingerprint as `ssh-keygen -l` prints it; raises ValueError if base64 is none."""
        try:
            blob = base64.b64decode(self.base64, validate=True)
        except binascii.Error as error:
            raise ValueError(f"not a host key: {error}") from None
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.type} {self.sha256}"


def read_host_key(address: str, port: int = 22, legacy: bool = False, timeout: float = 10.0) -> HostKey:
    """The key a server shows to us, read without logging in: no user name and no secret leaves the panel.

    `timeout` is in seconds, for everything together. Raises Unreachable, NotAnSshServer or OldAlgorithms.
    """
    return _read(address, port, legacy, offered(legacy).keys, Deadline(timeout))


def read_host_keys(
    address: str, port: int = 22, legacy: bool = False, timeout: float = 10.0
) -> tuple[HostKey, ...]:
    """All the keys a server has, the one that would be used first in front; each costs one connection.

    For comparing with what an administrator knows of the server. Arguments and errors as read_host_key.
    """
    deadline = Deadline(timeout)
    found = [_read(address, port, legacy, offered(legacy).keys, deadline)]
    for kind in KEY_TYPES:
        names = of_type(offered(legacy), kind)
        if kind == found[0].type or not names:
            continue
        try:
            found.append(_read(address, port, legacy, names, deadline))
        except OldAlgorithms:
            continue  # the server has no key of this type
    return tuple(found)


def _read(address: str, port: int, legacy: bool, key_names: tuple[str, ...], deadline: Deadline) -> HostKey:
    sock = connect(address, port, deadline)
    transport = greet(sock, legacy, key_names, deadline, f"{address} port {port}")
    try:
        return shown_by(transport)
    finally:
        hang_up(transport)


def shown_by(transport: paramiko.Transport) -> HostKey:
    """The key that the server proved to have when the connection was set up."""
    key = transport.get_remote_server_key()
    return HostKey(key.get_name(), key.get_base64())


def require_approved(approved: tuple[HostKey, ...], place: str) -> None:
    """Raise HostKeyUnknown unless somebody has approved a key of this server."""
    if not approved:
        raise HostKeyUnknown(
            f"No host key of {place} has been approved yet. Read its key, compare the fingerprint with the"
            " one on the server (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) and approve it."
        )


def check(shown: HostKey, approved: tuple[HostKey, ...], place: str) -> None:
    """Raise HostKeyChanged unless the key shown is one of those approved."""
    if shown in approved:
        return
    raise HostKeyChanged(
        f"{place} shows another host key than the one approved: {shown}, not"
        f" {' or '.join(str(key) for key in approved)}. Nothing was sent to it. If the server was"
        " reinstalled, compare the new fingerprint with the server's and approve it; if not, somebody may be"
        " in between.",
        old=approved,
        new=shown,
    )
