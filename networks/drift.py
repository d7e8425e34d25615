"""After each look: what differs from desired, stored property by property with the time it was first seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import Q

from networks.choices import IDLE_OPERATION_STATES
from networks.domain.drift import Drift, Judgement, Key, Memory, judge
from networks.domain.inventory import ServerRef, ServerView, Subject
from networks.domain.state import AdapterKey, Desired, InterfaceKey
from networks.domain.verify import Mismatch
from networks.models import Behind, DriftCheck, Operation, Preparation
from networks.models import Drift as DriftRow
from networks.slices import decided_on_each
from networks.state_json import dump_edits
from nodes.facts import ServerFacts
from nodes.models import PhysicalServer
from vnetpanel.clock import is_from_before

KEPT = timedelta(days=30)
"""How long drift that has ended is kept."""

IDENTITY = ("kind", "ctid", "name", "property_name", "link")


Look = tuple[int, ServerFacts, datetime]
"""(server, what was found there, when the look began)."""


def compare(server_id: int, facts: ServerFacts, at: datetime) -> Judgement | None:
    """Store the drift that a look begun at `at` shows. None: a later one is stored, or nothing is decided.

    A server with a Change at work, or behind one, has no drift: what differs there is under way.
    """
    return compare_many([(server_id, facts, at)])[server_id]


def compare_many(looks: Collection[Look]) -> dict[int, Judgement | None]:
    """The same for looks at different servers, in as many queries as for one that found nothing new."""
    looks = sorted(looks, key=lambda look: look[0])  # rows are locked and written in that order everywhere
    unprepared = [
        server_id
        for server_id, facts, _ in looks
        if facts.transaction.committed and facts.boot.replay in ("missing", "disabled")
    ]
    if unprepared:
        # Somebody has removed it: the next change prepares the server again.
        Preparation.objects.filter(server__in=unprepared).delete()
    since = min(at for _, _, at in looks)
    known = _known_of([server_id for server_id, _, _ in looks], since)
    found = {server_id: _judged(known, server_id, facts, at) for server_id, facts, at in looks}
    # Nearly every look finds what the one before it found: then nothing is locked and nothing written.
    news = [look for look in looks if _is_news(known, look[0], found[look[0]])]
    if news:
        with transaction.atomic():
            pks = [server_id for server_id, _, _ in news]
            list(DriftCheck.objects.select_for_update().filter(server_id__in=pks).order_by("server_id"))
            again = _known_of(pks, since)
            for server_id, facts, at in news:
                if not again.is_same(known, server_id):
                    found[server_id] = _judged(again, server_id, facts, at)
            judged = [(server_id, at, one) for server_id, _, at in news if (one := found[server_id])]
            _keep(judged)
            for server_id, at, one in judged:
                if not one.unsure and (one.drifts or server_id in again.drifting):
                    _write(server_id, at, one.drifts)
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored about servers, each by its key."""

    desired: dict[int, Desired]
    checks: dict[int, DriftCheck]
    parts: dict[int, frozenset[tuple[str, datetime | None, bool]]]
    """Of Changes at work, or that ended after the first look began: state, end, whether vzctl must follow."""
    behind: frozenset[int]
    drifting: frozenset[int]
    """With drift that is stored, or counted."""

    def is_same(self, other: _Known, server_id: int) -> bool:
        """Whether a look at the server would be judged alike by both."""
        mine, its = (one.checks.get(server_id) for one in (self, other))
        return (
            self.desired[server_id] == other.desired[server_id]
            and (mine and (mine.at, mine.unsure, mine.memory)) == (its and (its.at, its.unsure, its.memory))
            and self.parts.get(server_id) == other.parts.get(server_id)
            and (server_id in self.behind) == (server_id in other.behind)
        )


def _known_of(server_ids: Collection[int], since: datetime) -> _Known:
    """For looks begun since then. Nine queries, however many servers."""
    # Desired first: a Change that is decided meanwhile is then still seen to be at work.
    desired = decided_on_each(server_ids)
    parts: dict[int, set[tuple[str, datetime | None, bool]]] = {}
    rows = Operation.objects.filter(server_id__in=server_ids).filter(
        ~Q(state__in=IDLE_OPERATION_STATES) | Q(ended_at__gt=since) | Q(must_follow=True)
    )
    for server_id, state, ended_at, must_follow in rows.values_list(
        "server_id", "state", "ended_at", "must_follow"
    ):
        if ended_at is not None and is_from_before(ended_at):
            ended_at = None  # before any look of now
        parts.setdefault(server_id, set()).add((state, ended_at, must_follow))
    drifting = DriftRow.objects.open().filter(server_id__in=server_ids).values_list("server_id", flat=True)
    counted = PhysicalServer.objects.filter(pk__in=server_ids).exclude(drift_count=0)
    return _Known(
        desired,
        {check.server_id: check for check in DriftCheck.objects.filter(server_id__in=server_ids)},
        {server_id: frozenset(found) for server_id, found in parts.items()},
        frozenset(Behind.objects.filter(server_id__in=server_ids).values_list("server_id", flat=True)),
        frozenset(drifting) | frozenset(counted.values_list("pk", flat=True)),
    )


def _judged(known: _Known, server_id: int, facts: ServerFacts, at: datetime) -> Judgement | None:
    desired, check = known.desired[server_id], known.checks.get(server_id)
    if check is None and desired == Desired() and not facts.transaction.committed:
        return None
    if check is not None and check.at > at:
        return None
    memory = _memory(check)
    if reason := _at_work(known, server_id, at):
        return Judgement(memory=memory, unsure=reason)
    view = ServerView(server_id, facts.hostname, dialect=facts.vzctl_dialect, facts=facts)
    following = any(must_follow for _, _, must_follow in known.parts.get(server_id, ()))
    return judge(view, desired, facts, memory, following=following)


def _is_news(known: _Known, server_id: int, found: Judgement | None) -> bool:
    if found is None:
        return False
    check = known.checks.get(server_id)
    if check is None or check.unsure != found.unsure[:300] or _memory(check) != found.memory:
        return True
    return not found.unsure and (bool(found.drifts) or server_id in known.drifting)


def not_known(server_id: int, found: Collection[Mismatch]) -> list[Mismatch]:
    """Those that were not so before: drift that a Change did not make must not stop it."""
    if not found:
        return []
    rows = DriftRow.objects.open().filter(server_id=server_id)
    known = set(rows.values_list(*IDENTITY, "desired", "observed"))
    return [item for item in found if (*_identity(item).values(), *_texts(item).values()) not in known]


def _at_work(known: _Known, server_id: int, at: datetime) -> str:
    """Why it may differ without drift: a Change is at work, ended after the look began, or is late."""
    for state, ended_at, _ in known.parts.get(server_id, ()):
        if state not in IDLE_OPERATION_STATES or (ended_at is not None and ended_at > at):
            return "A change is at work on the server."
    return "The server is behind a decided change." if server_id in known.behind else ""


def _memory(check: DriftCheck | None) -> Memory:
    if check is None:
        return Memory()
    kept = check.memory
    return Memory(
        kept.get("boot_id", ""),
        frozenset((name, index) for name, index in kept.get("ports", ())),
        frozenset(_key_of_words(check.server_id, words) for words in kept.get("suspects", ())),
    )


def _keep(judged: Collection[tuple[int, datetime, Judgement]]) -> None:
    DriftCheck.objects.bulk_create(
        [
            DriftCheck(
                server_id=server_id,
                at=at,
                unsure=found.unsure[:300],
                memory={
                    "boot_id": found.memory.boot_id,
                    "ports": sorted(found.memory.ports),
                    "suspects": sorted(_words_of_key(key) for key in found.memory.suspects),
                },
            )
            for server_id, at, found in judged
        ],
        update_conflicts=True,
        unique_fields=["server"],
        update_fields=["at", "unsure", "memory"],
    )


def _words_of_subject(subject: Subject) -> tuple[str, str, str]:
    """(kind, CTID, name)."""
    match subject:
        case InterfaceKey(ctid=ctid, ifname=ifname):
            return "interface", ctid, ifname
        case AdapterKey(name=name):
            return "adapter", "", name
    return "server", "", ""


def _words_of_key(key: Key) -> list[str]:
    subject, property_, link = key
    return [*_words_of_subject(subject), property_, link]


def _key_of_words(server_id: int, words: list[str]) -> Key:
    kind, ctid, name, property_, link = words
    subject: Subject = ServerRef(server_id)
    if kind == "interface":
        subject = InterfaceKey(server_id, ctid, name)
    elif kind == "adapter":
        subject = AdapterKey(server_id, name)
    return subject, property_, link


def _write(server_id: int, at: datetime, drifts: Iterable[Drift]) -> None:
    rows = DriftRow.objects.open().filter(server_id=server_id)
    known = {tuple(getattr(row, column) for column in IDENTITY): row for row in rows}
    found = {tuple(_identity(drift.mismatch).values()): drift for drift in drifts}
    ended = [row.pk for identity, row in known.items() if identity not in found]
    if ended:
        DriftRow.objects.filter(pk__in=ended).update(ended_at=at)
        DriftRow.objects.filter(server_id=server_id, ended_at__lt=at - KEPT).delete()
    DriftRow.objects.bulk_create(
        DriftRow(
            server_id=server_id, first_seen_at=at, seen_at=at, **_identity(drift.mismatch), **_columns(drift)
        )
        for identity, drift in found.items()
        if identity not in known
    )
    for identity in found.keys() & known.keys():
        DriftRow.objects.filter(pk=known[identity].pk).update(seen_at=at, **_columns(found[identity]))
    PhysicalServer.objects.filter(pk=server_id).exclude(drift_count=len(found)).update(drift_count=len(found))


def _identity(item: Mismatch) -> dict[str, str]:
    """The columns of IDENTITY, in that order."""
    kind, ctid, name = _words_of_subject(item.subject)
    return {
        "kind": kind,
        "ctid": ctid,
        "name": _fit("name", name),
        "property_name": _fit("property_name", item.property),
        "link": _fit("link", item.link),
    }


def _columns(drift: Drift) -> dict[str, Any]:
    return {
        "network_id": drift.mismatch.network or None,
        **_texts(drift.mismatch),
        "adopt": dump_edits(drift.adopt.edits),
        "why_not": drift.adopt.why_not,
    }


def _texts(item: Mismatch) -> dict[str, str]:
    return {"desired": _fit("desired", item.desired), "observed": _fit("observed", item.observed)}


def _fit(column: str, text: str) -> str:
    field = DriftRow._meta.get_field(column)
    return text.replace("\0", "")[: field.max_length] if isinstance(field, models.CharField) else text
