"""After each look: what differs from desired, stored property by property with the time it was first seen."""

from __future__ import annotations

from collections.abc import Iterable
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
from networks.slices import decided_on
from networks.state_json import dump_edits
from nodes.facts import ServerFacts
from nodes.models import PhysicalServer

KEPT = timedelta(days=30)
"""How long drift that has ended is kept."""

IDENTITY = ("kind", "ctid", "name", "property_name", "link")


def compare(server_id: int, facts: ServerFacts, at: datetime) -> Judgement | None:
    """Store the drift that a look begun at `at` shows. None: a later one is stored, or nothing is decided.

    A server with a Change at work, or behind one, has no drift: what differs there is under way.
    """
    if facts.transaction.committed and facts.boot.replay in ("missing", "disabled"):
        # Somebody has removed it: the next change prepares the server again.
        Preparation.objects.filter(server_id=server_id).delete()
    check, found = _judged(server_id, facts, at)
    # Nearly every look finds what the one before it found: then nothing is locked and nothing written.
    if found is None or not _is_news(server_id, check, found):
        return found
    with transaction.atomic():
        DriftCheck.objects.select_for_update().filter(server_id=server_id).first()
        check, found = _judged(server_id, facts, at)
        if found is not None:
            _keep(server_id, at, found)
            if not found.unsure:
                _write(server_id, at, found.drifts)
    return found


def _judged(server_id: int, facts: ServerFacts, at: datetime) -> tuple[DriftCheck | None, Judgement | None]:
    """What was stored of the look before, and what this one says. Reads only."""
    # Desired first: a Change that is decided meanwhile is then still seen to be at work.
    desired = decided_on(server_id)
    check = DriftCheck.objects.filter(server_id=server_id).first()
    if check is None and desired == Desired() and not facts.transaction.committed:
        return None, None
    if check is not None and check.at > at:
        return check, None
    if reason := _at_work(server_id, at):
        return check, Judgement(memory=_memory(check), unsure=reason)
    view = ServerView(server_id, facts.hostname, dialect=facts.vzctl_dialect, facts=facts)
    following = Operation.objects.filter(server_id=server_id, must_follow=True).exists()
    return check, judge(view, desired, facts, _memory(check), following=following)


def _is_news(server_id: int, check: DriftCheck | None, found: Judgement) -> bool:
    if check is None or check.unsure != found.unsure[:300] or _memory(check) != found.memory:
        return True
    if found.unsure:
        return False
    return bool(found.drifts) or DriftRow.objects.open().filter(server_id=server_id).exists()


def not_known(server_id: int, found: Iterable[Mismatch]) -> list[Mismatch]:
    """Those that were not so before: drift that a Change did not make must not stop it."""
    rows = DriftRow.objects.open().filter(server_id=server_id)
    known = set(rows.values_list(*IDENTITY, "desired", "observed"))
    return [item for item in found if (*_identity(item).values(), *_texts(item).values()) not in known]


def _at_work(server_id: int, at: datetime) -> str:
    """Why it may differ without drift: a Change is at work, ended after the look began, or is late."""
    parts = Operation.objects.filter(server_id=server_id)
    busy = ~Q(state__in=IDLE_OPERATION_STATES) | Q(ended_at__gt=at)
    if parts.filter(busy).exists():
        return "A change is at work on the server."
    is_behind = Behind.objects.filter(server_id=server_id).exists()
    return "The server is behind a decided change." if is_behind else ""


def _memory(check: DriftCheck | None) -> Memory:
    if check is None:
        return Memory()
    kept = check.memory
    return Memory(
        kept.get("boot_id", ""),
        frozenset((name, index) for name, index in kept.get("ports", ())),
        frozenset(_key_of_words(check.server_id, words) for words in kept.get("suspects", ())),
    )


def _keep(server_id: int, at: datetime, found: Judgement) -> None:
    memory = {
        "boot_id": found.memory.boot_id,
        "ports": sorted(found.memory.ports),
        "suspects": sorted(_words_of_key(key) for key in found.memory.suspects),
    }
    DriftCheck.objects.update_or_create(
        server_id=server_id, defaults={"at": at, "unsure": found.unsure[:300], "memory": memory}
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
