"""From what a look found to rows: one transaction, a fixed number of statements, nothing ever deleted.

What has vanished from a server is marked with the time (`gone_at`) and stands up again when it is back, so
that whatever refers to it (a membership, a history) stays true. What people entered is not touched:
Windows servers as a whole, the physical segment of an adapter, who made a link.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Case, F, Q, Value, When

from nodes import facts_json, sync_values
from nodes.boot import boot_summary
from nodes.choices import ServerState
from nodes.facts import ServerFacts
from nodes.models import (
    Look,
    PhysicalServer,
)
from nodes.sync_rows import Ours, Rows, Seen, Synced, Timing, fit, update_rows, write_columns
from nodes.sync_values import Values

__all__ = ("Ours", "Seen", "Synced", "Timing", "update_rows", "write_columns")

LOOK_INTERVAL = timedelta(seconds=60)
LONGEST_WAIT = 1.5 * LOOK_INTERVAL
"""No look is due later than this after the one before it."""


def store(server_id: int, facts: ServerFacts, timing: Timing, ours: Ours | None = None) -> Synced:
    """Bring the rows of a Linux server to what a look found; all of it or, on an error, nothing.

    `ours`: rows of these links get the origin "made by this panel"; others keep theirs.
    Raises ValueError for a Windows server, whose rows people enter.
    """
    return store_many([Seen(server_id, facts, timing, ours)])[0]


def store_many(looks: Sequence[Seen]) -> list[Synced]:
    """The same for looks at different servers, in one transaction and as many statements as for one."""
    texts = {look.server_id: _texts(look.facts) for look in looks}
    with transaction.atomic():
        # Two looks at one server can end at the same moment. On SQLite the transaction itself has the lock.
        rows = PhysicalServer.objects.only("name", "os", "state", "state_since").select_for_update()
        servers = {server.pk: server for server in rows.filter(pk__in=texts).order_by("pk")}
        looked = Look.objects.filter(server_id__in=texts).only("server_id", "at", "digest")
        last = {row.server_id: row for row in looked}
        found = [
            _to_store(look, servers.get(look.server_id), last.get(look.server_id), texts[look.server_id][1])
            for look in looks
        ]
        stored = [(look, synced) for look, synced in zip(looks, found, strict=True) if synced.is_stored]
        Rows([one for one in stored if _is_news(one[0], last.get(one[0].server_id), one[1])]).write()
        if newest := [look for look, _ in stored]:
            _write_looks(newest, texts)
            _write_servers(newest, servers)
    return found


def _to_store(look: Seen, server: PhysicalServer | None, last: Look | None, digest: str) -> Synced:
    if server is not None and not server.is_managed:
        raise ValueError(f"{server} is a Windows server: what it has is entered by hand, not observed.")
    is_newest = last is None or last.at <= look.timing.at
    return Synced(is_stored=server is not None and is_newest, digest=digest)


def _is_news(look: Seen, last: Look | None, synced: Synced) -> bool:
    return last is None or last.digest != synced.digest or look.ours is not None


_SAME_SERVER = (
    "UPDATE nodes_physicalserver SET looked_at = %s, seen_at = %s, next_look_at = %s"
    " WHERE id = %s AND state = 'ok' AND looked_at <= %s"
)
_SAME_LOOK = (
    "UPDATE nodes_look SET at = %s, duration_ms = %s, connect_ms = %s WHERE server_id = %s AND at <= %s"
)


def store_same(connection: BaseDatabaseWrapper, looks: Collection[tuple[int, Timing]]) -> None:
    """Record looks that found the servers as the last one did: two statements, however many servers."""
    if not looks:
        return
    time_of = connection.ops.adapt_datetimefield_value
    servers, rows = [], []
    for pk, timing in looks:
        at = time_of(timing.at)
        servers.append((at, at, time_of(next_look(pk, timing.at)), pk, at))
        rows.append((at, timing.duration_ms, timing.connect_ms, pk, at))
    with connection.cursor() as cursor:
        cursor.executemany(_SAME_SERVER, servers)
        cursor.executemany(_SAME_LOOK, rows)


def store_failure(server_id: int, state: ServerState, reason: str, at: datetime) -> bool:
    """Record that a look begun at `at` failed, and why. False if a later look is recorded already."""
    return bool(
        PhysicalServer.objects.filter(pk=server_id)
        .filter(Q(looked_at=None) | Q(looked_at__lte=at))
        .update(
            state_since=_since(state, at),
            state=state,
            state_reason=reason[:1000],
            looked_at=at,
            next_look_at=next_look(server_id, at),
        )
    )


def stored_facts(server_id: int) -> ServerFacts | None:
    """What the last look at the server brought; None if there was none that this version can read."""
    text = Look.objects.filter(server_id=server_id).values_list("facts", flat=True).first()
    try:
        return facts_json.load(text) if text else None
    except facts_json.FactsUnreadable:
        return None


def next_look(server_id: int, at: datetime) -> datetime:
    """When the look after one begun at `at` is due: at the server's own second of the minute, so that looks
    spread evenly and stay where they are; 30 to 90 seconds from `at`, in the long run one a minute.
    """
    minute = LOOK_INTERVAL.total_seconds()
    # Multiples of the golden ratio spread consecutive keys over the minute more evenly than any hash.
    second = server_id * 0.6180339887498949 % 1 * minute
    earliest = at.timestamp() + minute / 2
    return at + timedelta(seconds=minute / 2 + (second - earliest) % minute)


def _since(state: ServerState, at: datetime) -> Case:
    """The time the server came into this state: unchanged while the state is."""
    return Case(When(Q(state=state, state_since__isnull=False), then=F("state_since")), default=Value(at))


def _texts(facts: ServerFacts) -> tuple[str, str]:
    """The facts as they are stored, and a digest: equal for looks that would write the same rows."""
    text = facts_json.dump(facts)
    lasting = facts_json.dump(replace(facts, uptime_s=0.0, true_ms=None))
    return text, hashlib.sha256(lasting.encode()).hexdigest()


def _write_looks(looks: Sequence[Seen], texts: Mapping[int, tuple[str, str]]) -> None:
    Look.objects.bulk_create(
        [
            Look(
                server_id=look.server_id,
                at=look.timing.at,
                duration_ms=look.timing.duration_ms,
                connect_ms=look.timing.connect_ms,
                facts=texts[look.server_id][0],
                findings=[asdict(finding) for finding in (*look.facts.findings, *look.facts.firewall)],
                digest=texts[look.server_id][1],
            )
            for look in looks
        ],
        update_conflicts=True,
        unique_fields=["server"],
        update_fields=["at", "duration_ms", "connect_ms", "facts", "findings", "digest"],
    )


def _write_servers(looks: Sequence[Seen], servers: Mapping[int, PhysicalServer]) -> None:
    columns: Values = {}
    for look in looks:
        server = servers[look.server_id]
        # The row is locked: nobody else gives it a state meanwhile.
        since = server.state_since if server.state == ServerState.OK else None
        columns = _server_values(look.facts) | {
            "state_since": since or look.timing.at,
            "looked_at": look.timing.at,
            "seen_at": look.timing.at,
            "next_look_at": next_look(server.pk, look.timing.at),
        }
        for name, value in columns.items():
            setattr(server, name, fit(PhysicalServer, name, value))
    update_rows(PhysicalServer, [servers[look.server_id] for look in looks], sorted(columns))


def _server_values(facts: ServerFacts) -> Values:
    statuses = {one.ctid: one.status for one in facts.containers}
    return {
        "hostname": facts.hostname,
        "kernel": facts.kernel,
        "distribution": facts.os,
        "vzctl_dialect": facts.vzctl_dialect or "",
        "vzctl_version": facts.vzctl_version,
        "boot_id": facts.boot_id,
        "management_link": facts.management_link,
        "management_address": facts.management_address,
        "panel_address": facts.panel_address,
        "programs": facts.programs,
        "state": ServerState.OK,
        "state_reason": "",
        "containers_count": len(statuses),
        "running_count": sum(status == "running" for status in statuses.values()),
        "adapters_count": len(sync_values.adapters(facts)),
        "findings_count": len(facts.findings) + len(facts.firewall),
        "routing": sync_values.server_routing(facts),
        "boot": boot_summary(facts),
        "filters_tags": "vlan_filtering" in facts.capabilities,
    }
