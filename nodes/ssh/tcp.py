"""TCP to a server: names resolved within the deadline, no delayed packets, no endless writes."""

from __future__ import annotations

import contextlib
import errno
import logging
import queue
import select
import socket
import threading
from typing import Any

from nodes.ssh.deadline import Deadline
from nodes.ssh.errors import Unreachable

log = logging.getLogger(__name__)

HEAD_BYTES = 4096
GREETING_BYTES = 256 * 1024
# OpenSSH's own limit. What we ask for is an eighth of it, RFC 4253 (section 6.1) wants 35,000 bytes taken.
PACKET_BYTES = 256 * 1024
STALL_S = 10.0
DEAD_PEER_MS = 30_000

_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


class SshSocket(socket.socket):
    """The socket below one SSH connection.

    `received` counts bytes, `head` keeps the first of them: they tell a silent server from one that speaks
    something else than SSH. Until `greeted` is set no more than GREETING_BYTES are taken. `fault` says for
    people why the panel hung up, where `place` has announced a packet above PACKET_BYTES.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.received = 0
        self.head = b""
        self.greeted = False
        self.place = "The server"
        self.fault = ""
        self._patience = threading.local()

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive, and acknowledge at once.

        sshd leaves Nagle's algorithm on until the session starts and so waits for the acknowledgement that
        our kernel delays by 40 ms; TCP_QUICKACK is forgotten after each use and set anew here.
        """
        # paramiko believes any length up to 4 GiB, and asks at once for all that is left of a packet. With
        # AES-GCM lengths are not encrypted, and a false one shows only when the whole packet has come.
        if size > PACKET_BYTES:
            self.fault = _too_large(self.place, size)
            # On a connection that nobody uses just now, nobody else tells.
            log.warning(self.fault)
            raise OSError(errno.EPROTO, "packet too large")
        data = super().recv(size, flags)
        self.received += len(data)
        if not self.greeted:
            self.head += data[: HEAD_BYTES - len(self.head)]
            if self.received > GREETING_BYTES:
                raise OSError(errno.EPROTO, "endless greeting")
        # Fails if another thread has closed it meanwhile; the next recv says so.
        with contextlib.suppress(OSError):
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data

    def limit_writes(self, deadline: Deadline | None) -> None:
        """Let the calling thread's writes wait no longer than this; None: STALL_S only."""
        self._patience.deadline = deadline

    def send(self, data: Any, flags: int = 0) -> int:
        """Send some of the data; a peer that takes none of it for STALL_S seconds counts as gone.

        Without this limit paramiko repeats a write that times out for ever.
        """
        deadline: Deadline | None = getattr(self._patience, "deadline", None)
        # A little time even past the deadline: what says goodbye must have a chance.
        seconds = STALL_S if deadline is None else max(0.2, deadline.left(STALL_S))
        writable = select.poll()
        writable.register(self, select.POLLOUT)
        if not writable.poll(seconds * 1000):
            # Not ETIMEDOUT: that is a TimeoutError, upon which paramiko would try again.
            raise OSError(errno.ECONNABORTED, "the server takes no more data")
        return super().send(data, flags)

    def close(self) -> None:
        """Close, and wake whoever waits in recv: close alone would leave them there until their timeout."""
        # Fails if it was never connected, or is closed already.
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)
        super().close()


def connect(address: str, port: int, deadline: Deadline) -> SshSocket:
    """A connected socket to a server, or Unreachable. All of a name's addresses share the one deadline."""
    place = f"{address} port {port}"
    failure: OSError | None = None
    for family, kind, proto, _, where in _resolve(address, port, deadline):
        if deadline.passed:
            break
        sock = SshSocket(family, kind, proto)
        sock.place = place
        try:
            sock.settimeout(deadline.left())
            sock.connect(where)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A peer that is gone is noticed by the keepalive it does not acknowledge, not after 15 minutes.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS)
            return sock
        except OSError as error:
            failure = error
            sock.close()
    raise _explain(place, failure)


def _resolve(address: str, port: int, deadline: Deadline) -> list[tuple[Any, ...]]:
    """The addresses of a name. getaddrinfo knows no time limit: it runs beside us and may be left behind."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(address, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    try:
        return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        threading.Thread(target=look_up, name="ssh-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty:
        answer = TimeoutError()
    if isinstance(answer, Exception):
        raise Unreachable(
            f"The name {address} cannot be resolved. Correct the server's address, or enter its IP address.",
            reason="name_unknown",
        )
    return answer


def _too_large(place: str, size: int) -> str:
    return (
        f"{place} announced a packet of {size // 1024} KiB, where SSH servers send {PACKET_BYTES // 1024}"
        " at the most, so the panel hung up. Its SSH server is faulty, or somebody may be in between: check"
        " the server and the network on the way there."
    )


def _explain(place: str, failure: OSError | None) -> Unreachable:
    """Why there is no connection, from the error of the last attempt; None: the time was over."""
    if failure is None or isinstance(failure, TimeoutError) or failure.errno == errno.ETIMEDOUT:
        return Unreachable(
            f"{place} does not answer. Is the server running, and does a firewall let the panel through?",
            reason="timeout",
        )
    if failure.errno == errno.ECONNREFUSED:
        return Unreachable(
            f"{place} refuses the connection. Is the SSH server running there, and is the port right?",
            reason="refused",
        )
    if failure.errno in _NO_ROUTE:
        return Unreachable(
            f"There is no route to {place}. Check the address and the panel's own network.", reason="no_route"
        )
    return Unreachable(
        f"{place} cannot be reached: {failure.strerror or failure}. Check the address and the network.",
        reason="network",
    )
