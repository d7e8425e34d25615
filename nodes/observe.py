"""Looking at one server: connect, one exec of the probe, parse, store. Or say why that failed.

A look ends within `LOOK_DEADLINE_S` with either everything stored or only the failure: its state, the reason
in a person's words, the time. Nothing is ever sent to a server whose host key no person has approved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Prefetch, Q, QuerySet, When
from django.utils import timezone

from nodes import remembered, ssh, sync
from nodes.choices import HostKeyState, ServerOS, ServerState
from nodes.crew import by_whoever_waits
from nodes.facts import ServerFacts
from nodes.gate import checked, probe_for
from nodes.models import Credential, HostKey, PhysicalServer
from nodes.probe import new_nonce
from nodes.probe_output import UnreadableLook, parse_look
from nodes.signals import looked
from nodes.ssh import Pool, SshError, Target, errors
from nodes.together import Together
from trust.watch import delete_untold

log = structlog.get_logger(__name__)

LOOK_DEADLINE_S = 25.0
"""For connecting and the probe together; parsing and storing fit into what is left of 30 seconds."""
GATHER_S = 0.2
"""How long a look may wait to be stored together with others that are under way."""
TO_CONNECT = ("name", "os", "address", "port", "credential_id", "use_sudo", "legacy_ssh", "state")
"""Columns of a server that a look reads."""
CLAIM = timedelta(seconds=45)
"""How long a look may own a server: longer than any look, so that only a dead worker's claim runs out."""

_STATES: tuple[tuple[type[SshError], ServerState], ...] = (
    (errors.HostKeyChanged, ServerState.HOST_KEY_CHANGED),
    (errors.HostKeyUnknown, ServerState.NEW),
    (errors.LoginRefused, ServerState.LOGIN_REFUSED),
    (errors.CommandRefused, ServerState.LOGIN_REFUSED),
    (errors.NoSudo, ServerState.NO_SUDO),
    (errors.CommandTimeout, ServerState.UNREADABLE),
    (errors.OutputTooLarge, ServerState.UNREADABLE),
    (SshError, ServerState.UNREACHABLE),
)


class LookFailed(Exception):
    """A look brought nothing; its text is the reason for people, `state` the state the server is in by it."""

    def __init__(self, state: ServerState, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, before it is stored."""

    facts: ServerFacts
    duration_ms: int
    connect_ms: int

    def timing(self, at: datetime) -> sync.Timing:
        """For a look begun at `at`."""
        return sync.Timing(at, self.duration_ms, self.connect_ms)


@dataclass(frozen=True, slots=True)
class Words:
    """What a server printed, not yet understood; `nonce` is that of its probe."""

    stdout: bytes
    nonce: str
    duration_ms: int
    connect_ms: int

    def timing(self, at: datetime) -> sync.Timing:
        """For a look begun at `at`."""
        return sync.Timing(at, self.duration_ms, self.connect_ms)


@dataclass(frozen=True, slots=True)
class Heard:
    """A look that a server has taken already, together with something else that it was told."""

    words: Words
    at: datetime
    """When it began."""


def pool() -> Pool:
    """The connections of this process."""
    return ssh.process_pool(settings.SSH_CONNECTIONS)


def target_of(server: PhysicalServer, login: Credential | None = None) -> Target:
    """How to reach the server, with the host keys that a person has approved; `login`: not as its own.

    Raises LookFailed where nothing may be sent yet: no approved key, no credential, a Windows server.
    """
    if not server.is_managed:
        raise LookFailed(
            ServerState.INVENTORY_ONLY, "A Windows server is inventory only: nothing is sent to it."
        )
    pinned = tuple(
        ssh.HostKey(key.key_type, key.base64)
        for key in server.host_keys.all()
        if key.state == HostKeyState.PINNED
    )
    if not pinned:
        raise LookFailed(ServerState.NEW, "Its host key has not been approved yet.")
    login = login or server.credential
    if login is None:
        raise LookFailed(ServerState.LOGIN_REFUSED, "It has no credential: choose one for it.")
    return Target(
        address=server.address,
        port=server.port,
        username=login.username,
        credential=ssh.Credential(
            private_key=login.private_key, passphrase=login.passphrase, password=login.password
        ),
        host_keys=pinned,
        legacy=server.legacy_ssh,
        sudo=server.use_sudo and not login.by_gate,
        server=str(server.pk),
    )


_stored_together: Together[sync.Seen] = Together(GATHER_S)


def look(server: PhysicalServer, ours: sync.Ours | None = None) -> ServerFacts:
    """Look at a server now and store what was found; for whoever needs the truth before or after a change.

    `server` comes with what `servers_to_ask` reads; `ours` names links there that this panel has made (see
    sync.store). Threads that look at different servers at the same time store what they found together.
    Raises LookFailed, stored as well.
    """
    at = timezone.now()
    with _stored_together.at_work():
        try:
            answer = ask(server)
        except LookFailed as failed:
            failure = failed
            by_whoever_waits(lambda: store_failure(server, failure, at))
            raise
        _stored_together.write(sync.Seen(server.pk, answer.facts, answer.timing(at), ours), _store_all)
    return answer.facts


def store_heard(heard: Mapping[PhysicalServer, tuple[Heard, sync.Ours]]) -> dict[int, ServerFacts]:
    """Store looks that servers have taken already, in one transaction; the facts by server.

    A server whose words are no look, or cannot be stored, is left out: it has to be looked at by itself.
    """
    seen = []
    for server, (one, ours) in heard.items():
        try:
            answer = understood(one.words)
        except LookFailed as failure:
            log.info("heard_no_look", server=server.pk, reason=failure.reason)
            continue
        seen.append(sync.Seen(server.pk, answer.facts, answer.timing(one.at), ours))
    try:
        _store_all(seen)
    except Exception:  # one of them may be at fault: each is asked again, and has its own error
        log.exception("looks_lost", servers=[one.server_id for one in seen])
        return {}
    return {one.server_id: one.facts for one in seen}


def _store_all(looks: list[sync.Seen]) -> None:
    """Store what looks found, all of it or, on an error, nothing, and tell the rest of the panel."""
    if len({look.server_id for look in looks}) < len(looks):
        # Two looks at one server, by different work: one after the other.
        for look in looks:
            _store_all([look])
        return
    # Durable: looks of other threads must not hang on what the caller does afterwards.
    with transaction.atomic(durable=True):
        found = sync.store_many(looks)
    tell([look for look, synced in zip(looks, found, strict=True) if synced.is_stored])


def tell(looks: Sequence[sync.Seen]) -> None:
    """Let the rest of the panel know of looks that have been stored."""
    if looks:
        # Robust: what listens may fail (it is logged then), the looks are stored all the same.
        looked.send_robust(sender=PhysicalServer, looks=looks)


def observe(server_id: int) -> bool:
    """A look on schedule or on demand. False: somebody is looking already, or it must not be looked at.

    Never raises for what is wrong with a server, so that the others go on.
    """
    now = timezone.now()
    free = Q(look_claimed_until=None) | Q(look_claimed_until__lt=now)
    mine = PhysicalServer.objects.filter(pk=server_id, is_enabled=True, os=ServerOS.LINUX)
    if not mine.filter(free).update(look_claimed_until=now + CLAIM):
        return False
    observe_claimed(server_id, now + CLAIM)
    return True


def observe_claimed(server_id: int, until: datetime) -> None:
    """Look at a server that the caller has claimed until then, and give it back."""
    now = until - CLAIM
    mine = PhysicalServer.objects.filter(pk=server_id)
    try:
        if HostKey.objects.filter(server_id=server_id, state=HostKeyState.PINNED).exists():
            look(_server(server_id))
        elif not HostKey.objects.filter(server_id=server_id, state=HostKeyState.OFFERED).exists():
            offer_host_key(server_id)
    except LookFailed as failure:
        log.info("look_failed", server=server_id, state=failure.state, reason=failure.reason)
    except PhysicalServer.DoesNotExist:
        log.info("server_removed_during_look", server=server_id)
    except Exception:
        log.exception("look_broke", server=server_id)
        reason = "The panel failed on what this server answered; its log says more."
        sync.store_failure(server_id, ServerState.UNREADABLE, reason, now)
    finally:
        mine.filter(look_claimed_until=now + CLAIM).update(
            look_claimed_until=None,
            look_requested_at=Case(When(look_requested_at__gt=now, then=F("look_requested_at"))),
        )


def ask(server: PhysicalServer) -> Answer:
    """Run the probe on the server, one exec, and read what it prints. Stores nothing. Raises LookFailed."""
    return understood(words_of(server))


def words_of(server: PhysicalServer) -> Words:
    """Run the probe on the server, one exec. Stores nothing but a changed host key. Raises LookFailed."""
    nonce, known = new_nonce(), remembered.known_of(server.pk)
    try:
        command = probe_for(server, nonce, known.words if known else ())
        done = checked(server, pool().run(target_of(server), command, deadline_s=LOOK_DEADLINE_S))
    except SshError as error:
        raise _failure(server, error) from error
    connect_ms = round(done.connect_seconds * 1000)
    stdout = remembered.completed(server.pk, done.stdout, nonce, known)
    return Words(stdout, nonce, connect_ms + round(done.seconds * 1000), connect_ms)


def understood(words: Words) -> Answer:
    """The words as facts. Raises LookFailed."""
    try:
        facts = parse_look(words.stdout, words.nonce)
    except UnreadableLook as error:
        raise LookFailed(ServerState.UNREADABLE, error.reason) from error
    return Answer(facts, words.duration_ms, words.connect_ms)


def offer_host_key(server_id: int) -> HostKey | None:
    """Read the server's host key without logging in and store it as offered, if it is a new one.

    None: it is approved already. Raises LookFailed where it cannot be read; a server without an approved key
    stays "new" and shows the reason.
    """
    server = _server(server_id)
    at = timezone.now()
    try:
        key = key_shown_by(server)
    except LookFailed as failure:
        if server.state == ServerState.NEW:
            store_failure(server, failure, at)
        raise
    return store_offer(server, key, at)


def key_shown_by(server: PhysicalServer) -> ssh.HostKey:
    """The server's host key, read without logging in. Stores nothing. Raises LookFailed."""
    try:
        return ssh.read_host_key(server.address, server.port, legacy=server.legacy_ssh)
    except SshError as error:
        raise LookFailed(ServerState.NEW, error.sentence) from error


def store_offer(server: PhysicalServer, key: ssh.HostKey, at: datetime) -> HostKey | None:
    """Store the key that was asked for at `at` as offered. None: it is approved already."""
    offered = _offer(server, key)
    PhysicalServer.objects.filter(pk=server.pk, state=ServerState.NEW).update(
        state_reason="", looked_at=at, next_look_at=sync.next_look(server.pk, at)
    )
    return offered


def servers_to_ask(columns: Sequence[str] = ()) -> QuerySet[PhysicalServer]:
    """Servers with what is needed to connect to them; `columns`: only these of theirs, as TO_CONNECT.

    A credential that many of them have is read, and its secret opened, once.
    """
    keys = HostKey.objects.only("server_id", "key_type", "base64", "state")
    servers = PhysicalServer.objects.only(*columns) if columns else PhysicalServer.objects.all()
    return servers.prefetch_related("credential", Prefetch("host_keys", keys))


def _server(server_id: int) -> PhysicalServer:
    return servers_to_ask().get(pk=server_id)


def _failure(server: PhysicalServer, error: SshError) -> LookFailed:
    if isinstance(error, errors.HostKeyChanged) and error.new is not None:
        _offer(server, error.new)
    if isinstance(error, errors.ServerBusy):
        # The panel's own work was in the way: that says nothing about the server.
        return LookFailed(ServerState(server.state), error.sentence)
    state = next(state for kind, state in _STATES if isinstance(error, kind))
    return LookFailed(state, error.sentence)


def store_failure(server: PhysicalServer, failure: LookFailed, at: datetime) -> None:
    """Record that a look begun at `at` failed; a Windows server stays what it is."""
    if failure.state != ServerState.INVENTORY_ONLY:
        sync.store_failure(server.pk, failure.state, failure.reason, at)


def _offer(server: PhysicalServer, key: ssh.HostKey) -> HostKey | None:
    """Store the key as offered, in the place of any other on offer. None: it is approved already."""
    with transaction.atomic():
        row, is_new = HostKey.objects.get_or_create(
            server=server, sha256=key.sha256, defaults={"key_type": key.type, "base64": key.base64}
        )
        if row.state == HostKeyState.PINNED:
            return None
        others = HostKey.objects.filter(server=server, state=HostKeyState.OFFERED).exclude(pk=row.pk)
        delete_untold(others)
        if not is_new:
            # A retired key that is back is a change like any other: a person decides again.
            HostKey.objects.filter(pk=row.pk).exclude(state=HostKeyState.PINNED).update(
                state=HostKeyState.OFFERED, seen_at=timezone.now(), decided_at=None, decided_by=None
            )
            row.refresh_from_db()
        return row
