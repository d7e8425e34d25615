"""Looking at many servers at once: threads that ask, and one that stores what has arrived, many at a time.

A few queries before the first server is asked, one transaction for each handful of answers. An answer that is
word for word the last one (but for the server's clock) is neither parsed nor compared again: only its times
are written. Every WHOLE_EVERY-th look is whole all the same.
"""

from __future__ import annotations

import hashlib
import queue
import re
import threading
import time
from collections.abc import Hashable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import connection, connections, transaction
from django.db.models import Case, F, Q, When
from django.utils import timezone

from nodes import observe, ssh, sync
from nodes.choices import HostKeyState, ServerOS, ServerState
from nodes.models import PhysicalServer
from nodes.observe import CLAIM, Answer, LookFailed, Words
from nodes.signals import compared_with

log = structlog.get_logger(__name__)

THREADS = 64
"""Servers of a shard that are asked at the same time: a slow one must not keep the others waiting."""
GATHER_S = 0.25
"""How long answers are gathered before they are stored together, unless no other is waited for."""
SETTLED = 3
"""Whole looks with the same words after which an equal one is known by its words."""
WHOLE_EVERY = 10

# Numbers that count on by themselves: timers of bridges, lifetimes of addresses and routes, packets.
_COUNTING = (
    re.compile(rb'_(?:timer|life_time|lft)"?:? *[0-9.]+'),
    re.compile(rb'expires"?:? *[0-9]+'),
    re.compile(rb" \[[0-9]+:[0-9]+\]"),  # of iptables
    re.compile(rb"packets [0-9]+ bytes [0-9]+"),  # of nft
)
# Lines of the probe's first section that differ each time: the clock, our own processes, our port.
_PASSING = re.compile(rb"(?m)^(?:uptime |process |SSH_CONNECTION=).*\n")


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last whole look of a server: its words, what it was compared with, how often since."""

    words: bytes
    stamp: Hashable
    digest: str
    whole: int = 1
    times: int = 0


@dataclass(frozen=True, slots=True)
class _Result:
    server: PhysicalServer
    at: datetime
    words: Words | None = None
    answer: Answer | None = None
    failure: LookFailed | None = None
    key: ssh.HostKey | None = None
    """What a server showed that nobody has approved a key of yet."""


_seen: dict[int, _Seen] = {}
"""By server; only this process's own looks, and only what the row's digest agrees with counts."""


def observe_many(pks: Iterable[int]) -> None:
    """Look at these servers, each once, unless somebody is looking already or it must not be looked at.

    Never raises for what is wrong with a server.
    """
    now, pks = timezone.now(), list(pks)
    until = now + CLAIM
    mine = PhysicalServer.objects.filter(pk__in=pks, is_enabled=True, os=ServerOS.LINUX)
    free = mine.filter(Q(look_claimed_until=None) | Q(look_claimed_until__lt=now))
    # One statement is a transaction by itself: only where rows are locked first does it take another.
    with transaction.atomic() if connection.features.has_select_for_update else nullcontext():
        lock(pks)
        free.update(look_claimed_until=until)
    claimed = mine.filter(look_claimed_until=until).values("pk")
    asked = observe.servers_to_ask(observe.TO_CONNECT).annotate(digest=F("look__digest"))
    servers = list(asked.filter(pk__in=claimed))
    digests = {server.pk: server.digest or "" for server in servers}
    stamp = _stamp()
    waiting: queue.SimpleQueue[PhysicalServer] = queue.SimpleQueue()
    results: queue.SimpleQueue[_Result] = queue.SimpleQueue()
    for server in servers:
        waiting.put(server)
    for number in range(min(THREADS, len(servers))):
        arguments = (waiting, results, digests, stamp)
        threading.Thread(target=_ask_all, args=arguments, name=f"look-{number}", daemon=True).start()
    left = len(servers)
    while left:
        gathered = _gathered(results, left)
        left -= len(gathered)
        _store(gathered, stamp, until)


def _has_key(server: PhysicalServer, state: HostKeyState) -> bool:
    return any(key.state == state for key in server.host_keys.all())


def _stamp() -> Hashable:
    """What looks are compared with, as far as its owners say; None if one of them could not."""
    answers = [answer for _, answer in compared_with.send_robust(sender=PhysicalServer)]
    return None if any(isinstance(answer, Exception) for answer in answers) else tuple(answers)


def _ask_all(
    waiting: queue.SimpleQueue[PhysicalServer],
    results: queue.SimpleQueue[_Result],
    digests: dict[int, str],
    stamp: Hashable,
) -> None:
    try:
        while True:
            try:
                server = waiting.get_nowait()
            except queue.Empty:
                return
            results.put(_asked(server, digests.get(server.pk, ""), stamp))
    finally:
        connections.close_all()  # a changed host key was stored


def _asked(server: PhysicalServer, digest: str, stamp: Hashable) -> _Result:
    """What the server answers, parsed unless it says what it said before."""
    at = timezone.now()
    try:
        if not _has_key(server, HostKeyState.PINNED):
            return _asked_for_key(server, at)
        words = observe.words_of(server)
        answer = None if _is_known(server, words, digest, stamp) else observe.understood(words)
        return _Result(server, at, words, answer)
    except LookFailed as failure:
        return _Result(server, at, failure=failure)
    except Exception:
        log.exception("look_broke", server=server.pk)
        reason = "The panel failed on what this server answered; its log says more."
        return _Result(server, at, failure=LookFailed(ServerState.UNREADABLE, reason))


def _asked_for_key(server: PhysicalServer, at: datetime) -> _Result:
    """The key that a stranger shows; nothing of one whose key waits for a person."""
    if _has_key(server, HostKeyState.OFFERED):
        return _Result(server, at)
    try:
        return _Result(server, at, key=observe.key_shown_by(server))
    except LookFailed as failure:
        if server.state == ServerState.NEW:
            return _Result(server, at, failure=failure)
        # Its state says already what is wrong, and why nobody logs in there.
        log.info("look_failed", server=server.pk, state=failure.state, reason=failure.reason)
        return _Result(server, at)


def _is_known(server: PhysicalServer, words: Words, digest: str, stamp: Hashable) -> bool:
    seen = _seen.get(server.pk)
    return (
        seen is not None
        and seen.whole >= SETTLED
        and seen.times < WHOLE_EVERY
        and server.state == ServerState.OK
        and stamp is not None
        and (seen.words, seen.stamp, seen.digest) == (lasting(words), stamp, digest)
    )


def lasting(words: Words) -> bytes:
    """A digest of what the probe printed, without what differs from one look to the next by itself."""
    nonce = words.nonce.encode()
    # Only in the first section: further down strangers may print such lines.
    first, mark, rest = words.stdout.partition(b"\n@" + nonce + b" rc ")
    for counting in _COUNTING:
        rest = counting.sub(b"", rest)
    return hashlib.sha256((_PASSING.sub(b"", first) + mark + rest).replace(nonce, b"")).digest()


def _gathered(results: queue.SimpleQueue[_Result], most: int) -> list[_Result]:
    """At least one result, and what comes shortly after it."""
    found = [results.get()]
    end = time.monotonic() + GATHER_S
    while len(found) < most and (left := end - time.monotonic()) > 0:
        try:
            found.append(results.get(timeout=left))
        except queue.Empty:
            break
    return found


def _store(results: list[_Result], stamp: Hashable, until: datetime) -> None:
    """Everything about these servers in one transaction; one that cannot be stored harms no other."""
    same = [(one.server.pk, one.words.timing(one.at)) for one in results if one.words and not one.answer]
    whole = [(one, one.answer) for one in results if one.answer]
    for one in results:
        if one.key:
            _store_offer(one, one.key)
    try:
        with transaction.atomic():
            lock([one.server.pk for one in results])
            sync.store_same(connection, same)
            told = _store_whole(whole)
            for one in results:
                if one.failure:
                    _store_failure(one, one.failure)
            _release([one.server.pk for one in results], until)
    except Exception:  # the database may be away: the claims run out, and the schedule looks again
        log.exception("looks_lost", servers=[one.server.pk for one in results])
        return
    for pk, _ in same:
        if seen := _seen.get(pk):
            _seen[pk] = _Seen(seen.words, seen.stamp, seen.digest, seen.whole, seen.times + 1)
    for one, synced in told:
        _remember(one, synced, stamp)
    observe.tell([_look(one, one.answer) for one, _ in told if one.answer])


def _store_offer(one: _Result, key: ssh.HostKey) -> None:
    try:
        observe.store_offer(one.server, key, one.at)
    except Exception:  # the server may have been removed; the schedule asks again
        log.exception("key_lost", server=one.server.pk)


def lock(pks: list[int]) -> None:
    """Rows in the order in which every writer of many takes them, so that no two wait for each other.

    An UPDATE of many takes them as they lie on the disk. Nothing where the transaction itself has the lock.
    """
    if connection.features.has_select_for_update:
        list(PhysicalServer.objects.filter(pk__in=pks).order_by("pk").select_for_update().values_list("pk"))


def _look(one: _Result, answer: Answer) -> sync.Seen:
    return sync.Seen(one.server.pk, answer.facts, answer.timing(one.at))


def _store_whole(whole: list[tuple[_Result, Answer]]) -> list[tuple[_Result, sync.Synced]]:
    """Those that were stored."""
    if not whole:
        return []
    try:
        with transaction.atomic():
            found = sync.store_many([_look(one, answer) for one, answer in whole])
    except Exception:
        if len(whole) > 1:
            return [told for one in whole for told in _store_whole([one])]
        one, _ = whole[0]
        log.exception("look_broke", server=one.server.pk)
        reason = "The panel failed on what this server answered; its log says more."
        sync.store_failure(one.server.pk, ServerState.UNREADABLE, reason, one.at)
        return []
    return [(one, synced) for (one, _), synced in zip(whole, found, strict=True) if synced.is_stored]


def _store_failure(one: _Result, failure: LookFailed) -> None:
    log.info("look_failed", server=one.server.pk, state=failure.state, reason=failure.reason)
    _seen.pop(one.server.pk, None)
    observe.store_failure(one.server, failure, one.at)


def _remember(one: _Result, synced: sync.Synced, stamp: Hashable) -> None:
    if one.words is None:
        return
    pk = one.server.pk
    words, seen = lasting(one.words), _seen.get(pk)
    is_same = seen is not None and (seen.words, seen.stamp, seen.digest) == (words, stamp, synced.digest)
    _seen[pk] = _Seen(words, stamp, synced.digest, seen.whole + 1 if seen and is_same else 1)


def _release(pks: list[int], until: datetime) -> None:
    asked_before = until - CLAIM
    PhysicalServer.objects.filter(pk__in=pks, look_claimed_until=until).update(
        look_claimed_until=None,
        look_requested_at=Case(When(look_requested_at__gt=asked_before, then=F("look_requested_at"))),
    )
