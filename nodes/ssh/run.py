"""One command over one session of a connection: everything read, everything bounded."""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

from nodes.ssh.deadline import Deadline
from nodes.ssh.dial import Connection
from nodes.ssh.errors import (
    CommandRefused,
    CommandTimeout,
    ConnectionLost,
    OutputTooLarge,
    SshError,
)
from nodes.ssh.sudo import SUDO, require_sudo

CHUNK = 64 * 1024
# The most that paramiko lets a server send at once, and what may wait to be read; a server stops at 2 MiB.
PIECE = 32 * 1024
GATHERED = 16 * PIECE
# A dead connection closes its channels a moment before it says that it is dead.
LAST_WORDS_S = 0.3


class Runnable(Protocol):
    """What can be run: `nodes.commands.Command`, or anything with these two."""

    @property
    def argv(self) -> tuple[str, ...]:
        """The program and its arguments, unquoted."""

    @property
    def stdin(self) -> bytes:
        """What it reads on its standard input."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a command may print, in bytes; above it is cut and OutputTooLarge raised."""

    stdout: int = 2 * 1024 * 1024
    stderr: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended by itself.

    `exit_status` is -1 if a signal ended it. `seconds` is the time from asking for the command to its end,
    `connect_seconds` what connecting took before that (0.0 over a connection that was open already), and
    `connection` names the connection: two runs over different ones have different names.
    """

    exit_status: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    seconds: float
    connect_seconds: float
    connection: str

    @property
    def ok(self) -> bool:
        return self.exit_status == 0


class SessionRefused(Exception):
    """The server opens no further session on this connection. Nothing of a command was sent."""


class ConnectionDead(Exception):
    """The connection turned out to be dead before anything of a command was sent."""


def command_line(command: Runnable, sudo: bool) -> str:
    """The words of a command as one line for the login shell: the only place where anything is quoted."""
    return shlex.join((*SUDO, *command.argv) if sudo else command.argv)


def open_session(connection: Connection, timeout: float) -> paramiko.Channel:
    """A session on the connection, or SessionRefused or ConnectionDead; `timeout` in seconds."""
    deadline = Deadline(timeout)
    try:
        return connection.transport.open_session(timeout=timeout)
    except (paramiko.SSHException, EOFError, OSError):
        # Not told by the type: of two refusals at once, paramiko gives only one thread its ChannelException.
        refused = connection.alive and not deadline.passed
    raise SessionRefused if refused else ConnectionDead


def run_on(
    connection: Connection,
    channel: paramiko.Channel,
    command: Runnable,
    sudo: bool,
    deadline: Deadline,
    limits: Limits,
) -> Completed:
    """Run the command over a session just opened, and close the session whatever happens.

    Raises CommandTimeout or OutputTooLarge after cutting it (see `_terminate`), ConnectionLost,
    CommandRefused or NoSudo.
    """
    connection.sock.limit_writes(deadline)
    try:
        exchange = _Exchange(connection, channel, command.stdin, limits)
        _request_exec(channel, command_line(command, sudo))
        completed = exchange.run(deadline)
    except (paramiko.SSHException, EOFError, OSError):
        failure: SshError = _lost(connection)
    except (CommandTimeout, OutputTooLarge):
        # What has ended may be closed by now: a word about it would have the server hang up on everybody.
        if not channel.closed and channel.exit_status == -1:
            _terminate(channel)
        raise
    else:
        if sudo:
            require_sudo(completed.exit_status, completed.stdout, completed.stderr)
        return completed
    finally:
        _close(channel)
        connection.sock.limit_writes(None)
    raise failure


class _Wake(threading.Event):
    """One event for all that can happen on a channel, set when there is something to do.

    paramiko tells of each of the many small pieces that a command prints: those are left to gather, unless
    they could be more than is taken. Its buffers clear their event when they run empty, which would lose the
    news of another one: here only the reader clears it.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        super().__init__()
        self.channel = channel
        self.room = GATHERED
        self.unread = 0

    @property
    def ended(self) -> bool:
        """Whether all has come that will."""
        channel = self.channel
        return bool(channel.closed or (channel.eof_received and channel.exit_status != -1))

    def set(self) -> None:
        """News from paramiko, most of it a piece of standard output."""
        self.unread += PIECE
        if self.ended or self.unread > self.room:
            self.wake()

    def wake(self) -> None:
        """Really set."""
        super().set()

    def clear(self) -> None:
        """Do nothing; see `reset`."""

    def reset(self) -> None:
        """Really clear, before looking at everything."""
        self.unread = 0
        super().clear()

    def take(self, room: int) -> None:
        """After reading: so many bytes more of standard output are taken. More may have come meanwhile."""
        self.room = min(room, GATHERED)
        if self.unread > self.room:
            self.wake()


class _Heard(threading.Event):
    """What paramiko sets when something came on standard error: seldom, so each wakes."""

    def __init__(self, wake: _Wake) -> None:
        super().__init__()
        self.news = wake

    def set(self) -> None:
        self.news.wake()

    def clear(self) -> None:
        """Do nothing; see `_Wake`."""


class _Room(threading.Condition):
    """What paramiko notifies when the server has room for more input, or the channel is closed."""

    def __init__(self, channel: paramiko.Channel, wake: _Wake) -> None:
        super().__init__(channel.lock)
        self.wake = wake

    def notify_all(self) -> None:
        super().notify_all()
        self.wake.wake()


class _Exchange:
    """The exchange on one channel: input goes out while both outputs come in, so that neither side blocks."""

    def __init__(
        self, connection: Connection, channel: paramiko.Channel, stdin: bytes, limits: Limits
    ) -> None:
        self.connection = connection
        self.channel = channel
        self.stdin = memoryview(stdin)
        self.limits = limits
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.input_open = True
        self.started = time.monotonic()
        self.wake = _Wake(channel)
        channel.settimeout(0.0)
        channel.out_buffer_cv = _Room(channel, self.wake)
        channel.in_buffer.set_event(self.wake)
        channel.in_stderr_buffer.set_event(_Heard(self.wake))
        channel.status_event = channel.event = self.wake
        channel.event_ready = False

    def run(self, deadline: Deadline) -> Completed:
        """Exchange until the command ends or is to be cut."""
        channel = self.channel
        while True:
            self.wake.reset()
            # Looked at before reading: what came before the end is read below.
            ended = self.wake.ended
            self._drain()
            self.wake.take(self.limits.stdout - len(self.stdout))
            if ended:
                break
            if deadline.passed:
                raise self._overdue(time.monotonic() - self.started)
            self._feed()
            self.wake.wait(deadline.left())
        self._require_a_real_end()
        return Completed(
            exit_status=channel.exit_status,
            stdout=bytes(self.stdout),
            stderr=bytes(self.stderr),
            seconds=time.monotonic() - self.started,
            connect_seconds=0.0,
            connection=self.connection.id,
        )

    def _drain(self) -> None:
        channel = self.channel
        _read(channel.recv_ready, channel.recv, self.stdout, "stdout", self.limits.stdout)
        _read(channel.recv_stderr_ready, channel.recv_stderr, self.stderr, "stderr", self.limits.stderr)

    def _feed(self) -> None:
        """Send input until it is all gone, the server's window is full, or nobody listens any more."""
        try:
            while self.input_open and self.stdin:
                self.stdin = self.stdin[self.channel.send(bytes(self.stdin[:CHUNK])) :]
            if self.input_open:
                self.channel.shutdown_write()
        except TimeoutError:
            return
        except OSError:
            if self.connection.alive and not self.channel.closed:
                raise
            # The command ended without reading it all; what it printed still counts.
        self.input_open = False

    def _overdue(self, seconds: float) -> CommandTimeout:
        lasted = f"{max(1, round(seconds))} s"
        if self.channel.exit_status != -1:
            return CommandTimeout(
                f"The command ended, but something that it started kept its output open for {lasted}.",
                reason="output_held_open",
            )
        return CommandTimeout(
            f"The command did not end within {lasted} and was cut. The server may be overloaded, or a disk or"
            " network file system hangs."
        )

    def _require_a_real_end(self) -> None:
        """Tell a command that ended from a connection that did, and from a server that runs nothing."""
        channel = self.channel
        if channel.exit_status != -1:
            return
        # No status: killed by a signal, refused, or the connection broke.
        self.connection.transport.join(LAST_WORDS_S)
        if not self.connection.alive:
            raise _lost(self.connection)
        if not channel.event_ready:
            raise CommandRefused(
                "The server lets the panel log in but runs no command for it. Give the user a login shell and"
                " remove restrictions of its key in authorized_keys."
            )


def _read(
    ready: Callable[[], bool], recv: Callable[[int], bytes], into: bytearray, stream: str, limit: int
) -> None:
    while ready():
        into += recv(CHUNK)
        if len(into) > limit:
            raise OutputTooLarge(
                f"The command printed more than {limit // 1024} KiB ({stream}) and was cut.",
                stream=stream,
                limit=limit,
            )


def _request_exec(channel: paramiko.Channel, line: str) -> None:
    """Ask for the command, and do not wait for the answer, as Channel.exec_command does without any limit.

    The answer wakes the exchange like all else, and is looked at when the channel is closed.
    """
    _request(channel, "exec", line, answer=True)


def _terminate(channel: paramiko.Channel) -> None:
    """Send TERM to the command (RFC 4254, section 6.9). Best effort.

    OpenSSH obeys from 7.9 on, and not for root, for whom it runs no separate monitor; what root left running
    ends when it prints next.
    """
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        _request(channel, "signal", "TERM", answer=False)


def _request(channel: paramiko.Channel, kind: str, text: str, answer: bool) -> None:
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string(kind)
    message.add_boolean(answer)
    message.add_string(text)
    transport: Any = channel.get_transport()
    transport._send_user_message(message)


def _close(channel: paramiko.Channel) -> None:
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        channel.close()


def _lost(connection: Connection) -> ConnectionLost:
    fault = connection.sock.fault
    return ConnectionLost(
        f"{fault or 'The connection broke while the command ran.'} Whether it ran to its end is not known;"
        " look at the server again.",
        reason="packet_too_large" if fault else None,
        started=True,
    )
