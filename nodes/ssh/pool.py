"""Open connections to servers, shared by the threads of one process.

Connecting costs a server ten times the CPU of a command over an open connection, so connections stay open for
a while. One server's connection carries a few commands at a time (sshd's MaxSessions is 10 unless changed).
"""

from __future__ import annotations

import copy
import os
import resource
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import paramiko

from nodes.ssh.deadline import Deadline
from nodes.ssh.dial import Connection, Timeouts, dial
from nodes.ssh.errors import (
    CommandRefused,
    CommandTimeout,
    ConnectionLost,
    OutputTooLarge,
    ServerBusy,
    SshError,
)
from nodes.ssh.run import Completed, ConnectionDead, Limits, Runnable, SessionRefused, open_session, run_on
from nodes.ssh.target import Target

# A server with few sessions frees one a moment after its command has ended.
REFUSED_PAUSES_S = (0.01, 0.03, 0.1, 0.3)

# Database, broker, logs, and two connections beside the pool for each Change that is being confirmed.
OTHER_FILES = 500

_Place = tuple[str, str, int, str]


@dataclass(slots=True)
class _Slot:
    """One server's share of the pool. `users` counts runs on its connections, retired ones included."""

    place: _Place
    limit: int
    connection: Connection | None = None
    dialing: bool = False
    users: int = 0
    waiting: int = 0
    last_used: float = field(default_factory=time.monotonic)
    attempts: int = 0
    failure: tuple[str, SshError] | None = None

    @property
    def unused(self) -> bool:
        return not (self.connection or self.dialing or self.users or self.waiting)


@dataclass(slots=True)
class _Lease:
    slot: _Slot
    connection: Connection
    new: bool
    narrowed: bool = False


class Pool:
    """Runs commands on servers over shared connections. Safe to use from any number of threads."""

    def __init__(
        self,
        *,
        max_connections: int = 500,
        channels_per_server: int = 4,
        idle_s: float = 180.0,
        timeouts: Timeouts | None = None,
    ) -> None:
        """At most `max_connections` are open; the one unused for longest makes room for a new one.

        `channels_per_server` commands run on a server at a time, further ones wait. A connection unused for
        `idle_s` seconds is closed.
        """
        self.max_connections = max_connections
        self.channels_per_server = channels_per_server
        self.idle_s = idle_s
        self.timeouts = timeouts or Timeouts()
        self._slots: OrderedDict[_Place, _Slot] = OrderedDict()
        self._open = 0
        self._closed = False
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None
        self._changed = threading.Condition()

    def run(
        self,
        target: Target,
        command: Runnable,
        *,
        deadline_s: float = 30.0,
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
        fresh: bool = False,
    ) -> Completed:
        """Run one command, and return when it has ended by itself, whatever its exit status.

        `deadline_s` covers everything: waiting for a turn, connecting, running. `fresh` uses a connection
        made for this run alone, which proves that the server can be reached now. Raises an SshError; its
        `started` tells whether the command may have run. A connection that proves dead before anything of
        the command was sent is replaced once; nothing is ever sent twice.

        A run over an open connection takes two round trips, with input three: OpenSSH has no room for input
        before it has started the command.
        """
        deadline = Deadline(deadline_s)
        if fresh:
            return self._run_alone(target, command, deadline, limits)
        replaced = False
        while True:
            lease = self._acquire(target, deadline)
            sound = False
            try:
                channel = self._open_session(lease, deadline)
                completed = run_on(lease.connection, channel, command, target.sudo, deadline, limits)
                sound = True
                return _with_connect_time(completed, lease)
            except SessionRefused:
                sound = lease.narrowed
                if not sound and (lease.new or replaced):
                    raise _session_refused() from None
                replaced = replaced or not sound
            except ConnectionDead:
                if lease.new or replaced:
                    raise _dead(lease.connection) from None
                replaced = True
            except (CommandTimeout, OutputTooLarge, ConnectionLost):
                raise  # what was cut may still occupy a session: a new connection for those who come next
            except SshError:
                sound = True
                raise
            finally:
                self._release(lease, sound)

    def forget(self, server: str) -> None:
        """Close the connections of a server (the caller's identity of it); runs in progress finish first."""
        with self._changed:
            for slot in list(self._slots.values()):
                if slot.place[0] == server:
                    self._detach(slot)
                    self._drop_if_unused(slot)
            self._changed.notify_all()

    def close(self) -> None:
        """Close all connections; what still runs is cut. The pool cannot be used afterwards."""
        with self._changed:
            self._closed = True
            self._closing.set()
            for slot in list(self._slots.values()):
                if slot.connection:
                    slot.connection.close()
                self._detach(slot)
                self._drop_if_unused(slot)
            self._changed.notify_all()

    @property
    def open_connections(self) -> int:
        """How many shared connections are open or being opened."""
        with self._changed:
            return self._open

    def _run_alone(self, target: Target, command: Runnable, deadline: Deadline, limits: Limits) -> Completed:
        connection = dial(target, deadline, self.timeouts)
        try:
            channel = open_session(connection, deadline.left(self.timeouts.open_s))
            completed = run_on(connection, channel, command, target.sudo, deadline, limits)
            return replace(completed, connect_seconds=connection.connect_seconds)
        except SessionRefused:
            raise _session_refused() from None
        except ConnectionDead:
            raise _dead(connection) from None
        finally:
            connection.close()

    def _acquire(self, target: Target, deadline: Deadline) -> _Lease:
        """A turn on the server's connection, which is opened if need be; by one thread, the others wait."""
        with self._changed:
            slot = self._wait_for_turn(target, deadline)
            if slot.connection:
                return self._take(slot, slot.connection, new=False)
            slot.dialing = True
            self._open += 1
        try:
            connection = dial(target, deadline, self.timeouts)
        except BaseException as error:
            with self._changed:
                self._open -= 1
                # A copy: one exception raised in several threads would mix up their tracebacks.
                failure = (target.version, copy.copy(error)) if isinstance(error, SshError) else None
                self._dialled(slot, failure)
            raise
        with self._changed:
            slot.connection = connection
            self._dialled(slot, None)
            if self._closed:
                self._detach(slot)
                raise RuntimeError("the pool is closed")
            self._start_keeper()
            return self._take(slot, connection, new=True)

    def _dialled(self, slot: _Slot, failure: tuple[str, SshError] | None) -> None:
        slot.dialing = False
        slot.attempts += 1
        slot.failure = failure
        self._drop_if_unused(slot)
        self._changed.notify_all()

    def _wait_for_turn(self, target: Target, deadline: Deadline) -> _Slot:
        """The server's slot, with a usable connection or with the duty to dial one. The lock is held."""
        while True:
            if self._closed:
                raise RuntimeError("the pool is closed")
            slot = self._slots.get(target.place)
            if slot is None:
                slot = self._slots[target.place] = _Slot(target.place, self.channels_per_server)
            self._slots.move_to_end(target.place)
            if slot.connection and (slot.connection.version != target.version or not slot.connection.alive):
                self._detach(slot)
            if slot.users < slot.limit and not slot.dialing and (slot.connection or self._make_room()):
                return slot
            attempts = slot.attempts
            slot.waiting += 1
            self._changed.wait(deadline.left())
            slot.waiting -= 1
            # Who waited for another thread's attempt shares its outcome, and does not repeat it for as long.
            if slot.attempts != attempts and slot.failure and slot.failure[0] == target.version:
                raise copy.copy(slot.failure[1])
            if deadline.passed:
                self._drop_if_unused(slot)
                raise ServerBusy(
                    "Other work of the panel kept the server's connection busy until the time was over."
                )

    def _take(self, slot: _Slot, connection: Connection, new: bool) -> _Lease:
        slot.users += 1
        connection.users += 1
        slot.last_used = time.monotonic()
        return _Lease(slot, connection, new)

    def _release(self, lease: _Lease, sound: bool) -> None:
        with self._changed:
            slot, connection = lease.slot, lease.connection
            slot.users -= 1
            connection.users -= 1
            slot.last_used = time.monotonic()
            if not sound and slot.connection is connection:
                self._detach(slot)
            elif connection.retired and not connection.users:
                self._hang_up(connection)
            self._drop_if_unused(slot)
            self._changed.notify_all()

    def _open_session(self, lease: _Lease, deadline: Deadline) -> paramiko.Channel:
        """A session on the lease's connection; SessionRefused if it has no more, ConnectionDead if it is."""
        patience = self.timeouts.open_s if lease.new else self.timeouts.reopen_s
        for pause in (*REFUSED_PAUSES_S, None):
            try:
                return open_session(lease.connection, deadline.left(patience))
            except SessionRefused:
                if pause is None or self._narrow(lease):
                    raise
            time.sleep(deadline.left(pause))
        raise AssertionError("the last pause is None")

    def _narrow(self, lease: _Lease) -> bool:
        """After a refused session: learn how many the server allows. False if it refuses the only one."""
        with self._changed:
            others = lease.connection.users - 1
            if others:
                lease.slot.limit = max(1, min(lease.slot.limit, others))
                lease.narrowed = True
            return bool(others)

    def _make_room(self) -> bool:
        """True if one more connection may be opened, after closing the one unused for longest if need be."""
        if self._open < self.max_connections:
            return True
        for slot in self._slots.values():
            if slot.connection and not slot.connection.users:
                self._detach(slot)
                return True
        return False

    def _detach(self, slot: _Slot) -> None:
        """Take a connection out of use; it is closed when its last run has ended."""
        connection, slot.connection = slot.connection, None
        if connection:
            connection.retired = True
            if not connection.users:
                self._hang_up(connection)

    def _hang_up(self, connection: Connection) -> None:
        connection.close()
        self._open -= 1

    def _drop_if_unused(self, slot: _Slot) -> None:
        if slot.unused and self._slots.get(slot.place) is slot:
            del self._slots[slot.place]

    def _start_keeper(self) -> None:
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._close_idle, name="ssh-idle", daemon=True)
            self._keeper.start()

    def _close_idle(self) -> None:
        """Close what has not been used for a while, until nothing is left to watch."""
        while not self._closing.wait(max(0.05, self.idle_s / 4)):
            with self._changed:
                now = time.monotonic()
                for slot in list(self._slots.values()):
                    connection = slot.connection
                    if not connection or connection.users:
                        continue
                    if now - slot.last_used >= self.idle_s or not connection.alive:
                        self._detach(slot)
                        self._drop_if_unused(slot)
                self._changed.notify_all()
                if not self._slots:
                    self._keeper = None
                    return


def _with_connect_time(completed: Completed, lease: _Lease) -> Completed:
    return replace(completed, connect_seconds=lease.connection.connect_seconds) if lease.new else completed


def _session_refused() -> CommandRefused:
    return CommandRefused(
        "The server lets the panel log in but opens no session for it. Check MaxSessions in its sshd_config.",
        reason="session_refused",
    )


def _dead(connection: Connection) -> ConnectionLost:
    if connection.sock.fault:
        return ConnectionLost(connection.sock.fault, reason="packet_too_large", started=False)
    return ConnectionLost(
        "The connection broke before the command was sent. The server may be restarting; try again.",
        reason="lost_before_start",
        started=False,
    )


_pool: Pool | None = None
_pool_lock = threading.Lock()


def process_pool(max_connections: int = 500) -> Pool:
    """The pool of this process, made at first use; the process may open so many files from then on."""
    global _pool
    with _pool_lock:
        if _pool is None:
            _allow_files(max_connections + OTHER_FILES)
            _pool = Pool(max_connections=max_connections)
        return _pool


def _allow_files(wanted: int) -> None:
    """Raise the soft limit of open files, which is 1024 by default, as far as the hard one lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _forget_after_fork() -> None:
    """A child must not speak on its parent's connections, nor close them: it starts with its own pool."""
    global _pool, _pool_lock
    _pool = None
    _pool_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
