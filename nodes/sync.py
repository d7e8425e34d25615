"""From what a look found to rows: one transaction, a fixed number of statements, nothing ever deleted.

What has vanished from a server is marked with the time (`gone_at`) and stands up again when it is back, so
that whatever refers to it (a membership, a history) stays true. What people entered is not touched:
Windows servers as a whole, the physical segment of an adapter, who made a link.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Case, F, Q, Value, When

from nodes import facts_json, sync_values
from nodes.boot import boot_summary
from nodes.choices import AdapterKind, Origin, ServerState
from nodes.facts import ServerFacts
from nodes.models import (
    Adapter,
    Bridge,
    Container,
    ContainerInterface,
    Look,
    PhysicalSegment,
    PhysicalServer,
)
from nodes.sync_values import Values

LOOK_INTERVAL = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Ours:
    """Names of links on the server that this panel has made; whoever decides what should be knows them."""

    vlans: frozenset[str] = frozenset()
    bridges: frozenset[str] = frozenset()


@dataclass(slots=True)
class Synced:
    """What storing a look changed, as counts of rows; all zero when the server is as it was."""

    is_stored: bool = True
    """False: a later look is stored already, or the server was removed meanwhile."""
    appeared: int = 0
    changed: int = 0
    vanished: int = 0
    returned: int = 0
    digest: str = field(default="", compare=False)
    """Of what was stored: equal digests, equal rows."""

    @property
    def is_different(self) -> bool:
        return bool(self.appeared or self.changed or self.vanished or self.returned)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a look began, and how long it and its connecting took, in milliseconds."""

    at: datetime
    duration_ms: int = 0
    connect_ms: int = 0


def store(server_id: int, facts: ServerFacts, timing: Timing, ours: Ours | None = None) -> Synced:
    """Bring the rows of a Linux server to what a look found; all of it or, on an error, nothing.

    `ours`: rows of these links get the origin "made by this panel"; others keep theirs.
    Raises ValueError for a Windows server, whose rows people enter.
    """
    text = facts_json.dump(facts)
    digest = _digest(facts)
    with transaction.atomic():
        # Two looks at one server can end at the same moment. On SQLite the transaction itself has the lock.
        server = PhysicalServer.objects.select_for_update().filter(pk=server_id).first()
        if server is None:
            return Synced(is_stored=False)
        if not server.is_managed:
            raise ValueError(f"{server} is a Windows server: what it has is entered by hand, not observed.")
        last = Look.objects.filter(server_id=server_id).only("at", "digest").first()
        if last is not None and last.at > timing.at:
            return Synced(is_stored=False)
        synced = Synced()
        if last is None or last.digest != digest or ours is not None:
            synced = _Rows(server_id, facts, timing.at, ours or Ours()).write()
        synced.digest = digest
        _write_look(server_id, facts, timing, text, digest)
        _write_server(server_id, facts, timing.at)
        return synced


def digests_of(server_ids: Collection[int]) -> Iterable[tuple[int, str]]:
    """The servers with the digest of the last look that was stored."""
    return Look.objects.filter(server_id__in=server_ids).values_list("server_id", "digest")


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


def _digest(facts: ServerFacts) -> str:
    """Equal for two looks that would write the same rows and findings."""
    return hashlib.sha256(facts_json.dump(replace(facts, uptime_s=0.0, true_ms=None)).encode()).hexdigest()


def _write_look(server_id: int, facts: ServerFacts, timing: Timing, text: str, digest: str) -> None:
    columns = {
        "at": timing.at,
        "duration_ms": timing.duration_ms,
        "connect_ms": timing.connect_ms,
        "facts": text,
        "findings": [asdict(finding) for finding in (*facts.findings, *facts.firewall)],
        "digest": digest,
    }
    Look.objects.bulk_create(
        [Look(server_id=server_id, **columns)],
        update_conflicts=True,
        unique_fields=["server"],
        update_fields=list(columns),
    )


def _write_server(server_id: int, facts: ServerFacts, at: datetime) -> None:
    observed = {
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
    }
    statuses = {one.ctid: one.status for one in facts.containers}
    PhysicalServer.objects.filter(pk=server_id).update(
        **{name: _fit(PhysicalServer, name, value) for name, value in observed.items()},
        state_since=_since(ServerState.OK, at),
        state=ServerState.OK,
        state_reason="",
        looked_at=at,
        seen_at=at,
        next_look_at=next_look(server_id, at),
        containers_count=len(statuses),
        running_count=sum(status == "running" for status in statuses.values()),
        adapters_count=len(sync_values.adapters(facts)),
        findings_count=len(facts.findings) + len(facts.firewall),
        routing=sync_values.server_routing(facts),
        boot=boot_summary(facts),
        filters_tags="vlan_filtering" in facts.capabilities,
    )


def _fit(model: type[models.Model], column: str, value: Any) -> Any:
    """The value as the column can hold it: PostgreSQL refuses text that is too long, and NUL in any text."""
    limit = getattr(model._meta.get_field(column), "max_length", None)
    if isinstance(value, str):
        value = value.replace("\0", "")
        return value[:limit] if limit else value
    return value


@dataclass
class _Rows:
    """One writing of a server's rows."""

    server_id: int
    facts: ServerFacts
    at: datetime
    ours: Ours
    synced: Synced = field(default_factory=Synced)

    def write(self) -> Synced:
        """Bridges first, for ports refer to them; then adapters, containers, their interfaces."""
        bridges = self._bridges()
        self._adapters(bridges)
        containers = self._containers()
        self._interfaces(containers, bridges)
        return self.synced

    def _bridges(self) -> dict[str, Bridge]:
        rows = {row.name: row for row in Bridge.objects.filter(server_id=self.server_id)}
        wanted = sync_values.bridges(self.facts)
        self._made_by_panel(wanted, self.ours.bridges)
        self._vanish(Bridge, rows, wanted)
        for name in wanted.keys() - rows.keys():
            rows[name] = Bridge(server_id=self.server_id, name=name)
        self._save(Bridge, rows, wanted)
        return rows

    def _adapters(self, bridges: Mapping[str, Bridge]) -> None:
        rows = {row.name: row for row in Adapter.objects.filter(server_id=self.server_id)}
        wanted = sync_values.adapters(self.facts)
        self._made_by_panel(wanted, self.ours.vlans)
        self._vanish(Adapter, rows, wanted)
        # Rows first, bare; then what they refer to: bases and bonds are adapters themselves.
        segment_id = PhysicalSegment.objects.filter(is_default=True).values_list("pk", flat=True).first()
        new = {
            name: Adapter(
                server_id=self.server_id,
                name=name,
                kind=wanted[name]["kind"],
                vlan_id=wanted[name]["vlan_id"],
                segment_id=None if wanted[name]["kind"] == AdapterKind.VLAN else segment_id,
            )
            for name in wanted.keys() - rows.keys()
        }
        Adapter.objects.bulk_create(new.values())
        self.synced.appeared += len(new)
        rows |= new
        for values in wanted.values():
            for column in ("base", "bond"):
                values[f"{column}_id"] = _pk(rows, values.pop(column))
            values["bridge_id"] = _pk(bridges, values.pop("bridge"))
        self._step_aside(rows, wanted)
        self._save(Adapter, rows, wanted, fresh=new.keys())

    def _step_aside(self, rows: Mapping[str, Adapter], wanted: Mapping[str, Values]) -> None:
        """Two VLAN adapters may have swapped ids: (base, id) is checked row by row, so free both first."""
        moving = [
            row.pk
            for name, row in rows.items()
            if row.base_id is not None
            and name in wanted
            and (row.base_id, row.vlan_id) != (wanted[name]["base_id"], wanted[name]["vlan_id"])
        ]
        if moving:
            Adapter.objects.filter(pk__in=moving).update(base=None)

    def _containers(self) -> dict[str, Container]:
        rows = {row.ctid: row for row in Container.objects.filter(server_id=self.server_id)}
        wanted = sync_values.containers(self.facts)
        self._vanish(Container, rows, wanted)
        for ctid in wanted.keys() - rows.keys():
            rows[ctid] = Container(server_id=self.server_id, ctid=ctid)
        self._save(Container, rows, wanted)
        return rows

    def _interfaces(self, containers: Mapping[str, Container], bridges: Mapping[str, Bridge]) -> None:
        ctids = {row.pk: ctid for ctid, row in containers.items()}
        rows = {
            (ctids[row.container_id], row.ifname): row
            for row in ContainerInterface.objects.filter(container__server_id=self.server_id)
        }
        wanted = sync_values.interfaces(self.facts)
        for values in wanted.values():
            values["bridge_id"] = _pk(bridges, values.pop("bridge"))
        self._vanish(ContainerInterface, rows, wanted)
        for ctid, ifname in wanted.keys() - rows.keys():
            rows[ctid, ifname] = ContainerInterface(container_id=containers[ctid].pk, ifname=ifname)
        self._save(ContainerInterface, rows, wanted)

    @staticmethod
    def _made_by_panel(wanted: Mapping[str, Values], names: frozenset[str]) -> None:
        for name in names & wanted.keys():
            wanted[name]["origin"] = Origin.PANEL

    def _vanish(self, model: type[Any], rows: Mapping[Any, Any], wanted: Mapping[Any, Values]) -> None:
        gone = [row for key, row in rows.items() if key not in wanted and row.gone_at is None]
        if gone:
            model._default_manager.filter(pk__in=[row.pk for row in gone]).update(gone_at=self.at)
        self.synced.vanished += len(gone)

    def _save(
        self,
        model: type[Any],
        rows: Mapping[Any, Any],
        wanted: Mapping[Any, Values],
        fresh: Iterable[Any] = (),
    ) -> None:
        """Create rows without a primary key, update those that differ from what is wanted."""
        created, updated = [], []
        fresh = set(fresh)
        for key, values in wanted.items():
            row = rows[key]
            returned = row.gone_at is not None
            row.gone_at = None
            if not self._assign(model, row, values) and not returned and row.pk:
                continue
            if row.pk is None:
                created.append(row)
                continue
            updated.append(row)
            if returned:
                self.synced.returned += 1
            elif key not in fresh:
                self.synced.changed += 1
        self.synced.appeared += len(created)
        model._default_manager.bulk_create(created)
        if updated:
            columns = {name for values in wanted.values() for name in values} | {"gone_at"}
            update_rows(model, updated, sorted(columns))

    @staticmethod
    def _assign(model: type[Any], row: Any, values: Values) -> bool:
        """Set the columns; True if one of them was different."""
        is_different = False
        for name, value in values.items():
            value = _fit(model, name, value)
            if getattr(row, name) != value:
                setattr(row, name, value)
                is_different = True
        return is_different


def update_rows(model: type[Any], rows: Sequence[Any], columns: Sequence[str]) -> None:
    """Write those columns of the rows, one short statement each, prepared once.

    What bulk_update writes, without its one long expression per column, which takes longer to put together
    than these statements to run.
    """
    fields = [model._meta.get_field(column) for column in columns]
    key = model._meta.pk
    quote = connection.ops.quote_name
    wanted = ", ".join(f"{quote(field.column)} = %s" for field in fields)
    # Names of our own columns only.
    statement = f"UPDATE {quote(model._meta.db_table)} SET {wanted} WHERE {quote(key.column)} = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(
            statement,
            [
                (
                    *(field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields),
                    key.get_db_prep_save(row.pk, connection),
                )
                for row in rows
            ],
        )


def _pk(rows: Mapping[str, Any], name: str) -> int | None:
    """Primary key of the row of that name, None if there is none."""
    return rows[name].pk if name in rows else None
