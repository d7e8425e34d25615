"""The rows of servers as looks found them: what a writing of `nodes/sync.py` is made of.

A fixed number of statements for any number of servers; what has vanished is marked, nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, models

from nodes import sync_values
from nodes.choices import AdapterKind, Origin
from nodes.facts import ServerFacts
from nodes.models import Adapter, Bridge, Container, ContainerInterface, PhysicalSegment
from nodes.sync_values import Values


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


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found on a Linux server. `ours`: links there that this panel has made, if that is known."""

    server_id: int
    facts: ServerFacts
    timing: Timing
    ours: Ours | None = None


Key = tuple[Any, ...]
"""(server, name), (server, CTID) or (server, CTID, interface)."""


class Rows:
    """One writing of the rows of servers, one look of each."""

    def __init__(self, looks: Sequence[tuple[Seen, Synced]]) -> None:
        self.looks = [look for look, _ in looks]
        self.synced = {look.server_id: synced for look, synced in looks}
        self.at = {look.server_id: look.timing.at for look in self.looks}

    def write(self) -> None:
        """Bridges first, for ports refer to them; then adapters, containers, their interfaces."""
        if not self.looks:
            return
        bridges = self._bridges()
        self._adapters(bridges)
        containers = self._containers()
        self._interfaces(containers, bridges)

    def _wanted(self, values_of: Callable[[ServerFacts], Mapping[Any, Values]]) -> dict[Key, Values]:
        return {
            (look.server_id, *(name if isinstance(name, tuple) else (name,))): values
            for look in self.looks
            for name, values in values_of(look.facts).items()
        }

    def _bridges(self) -> dict[Key, Bridge]:
        rows = {(row.server_id, row.name): row for row in Bridge.objects.filter(server_id__in=self.at)}
        wanted = self._wanted(sync_values.bridges)
        self._made_by_panel(wanted, lambda ours: ours.bridges)
        self._vanish(Bridge, rows, wanted)
        for server_id, name in wanted.keys() - rows.keys():
            rows[server_id, name] = Bridge(server_id=server_id, name=name)
        self._save(Bridge, rows, wanted)
        return rows

    def _adapters(self, bridges: Mapping[Key, Bridge]) -> None:
        rows = {(row.server_id, row.name): row for row in Adapter.objects.filter(server_id__in=self.at)}
        wanted = self._wanted(sync_values.adapters)
        self._made_by_panel(wanted, lambda ours: ours.vlans)
        self._vanish(Adapter, rows, wanted)
        # Rows first, bare; then what they refer to: bases and bonds are adapters themselves.
        new = self._bare_adapters({key: wanted[key] for key in wanted.keys() - rows.keys()})
        rows |= new
        for (server_id, _), values in wanted.items():
            for column in ("base", "bond"):
                values[f"{column}_id"] = _pk(rows, (server_id, values.pop(column)))
            values["bridge_id"] = _pk(bridges, (server_id, values.pop("bridge")))
        self._step_aside(rows, wanted)
        self._save(Adapter, rows, wanted, fresh=new.keys())

    def _bare_adapters(self, wanted: Mapping[Key, Values]) -> dict[Key, Adapter]:
        if not wanted:
            return {}
        segment_id = PhysicalSegment.objects.filter(is_default=True).values_list("pk", flat=True).first()
        new = {
            (server_id, name): Adapter(
                server_id=server_id,
                name=name,
                kind=values["kind"],
                vlan_id=values["vlan_id"],
                segment_id=None if values["kind"] == AdapterKind.VLAN else segment_id,
            )
            for (server_id, name), values in wanted.items()
        }
        Adapter.objects.bulk_create(new.values())
        for server_id, _ in new:
            self.synced[server_id].appeared += 1
        return new

    def _step_aside(self, rows: Mapping[Any, Adapter], wanted: Mapping[Key, Values]) -> None:
        """Two VLAN adapters may have swapped ids: (base, id) is checked row by row, so free both first."""
        moving = [
            row.pk
            for key, row in rows.items()
            if row.base_id is not None
            and key in wanted
            and (row.base_id, row.vlan_id) != (wanted[key]["base_id"], wanted[key]["vlan_id"])
        ]
        if moving:
            Adapter.objects.filter(pk__in=moving).update(base=None)

    def _containers(self) -> dict[Key, Container]:
        rows = {(row.server_id, row.ctid): row for row in Container.objects.filter(server_id__in=self.at)}
        wanted = self._wanted(sync_values.containers)
        self._vanish(Container, rows, wanted)
        for server_id, ctid in wanted.keys() - rows.keys():
            rows[server_id, ctid] = Container(server_id=server_id, ctid=ctid)
        self._save(Container, rows, wanted)
        return rows

    def _interfaces(self, containers: Mapping[Key, Container], bridges: Mapping[Key, Bridge]) -> None:
        keys = {row.pk: key for key, row in containers.items()}
        rows = {
            (*keys[row.container_id], row.ifname): row
            for row in ContainerInterface.objects.filter(container__server_id__in=self.at)
        }
        wanted = self._wanted(sync_values.interfaces)
        for key, values in wanted.items():
            values["bridge_id"] = _pk(bridges, (key[0], values.pop("bridge")))
        self._vanish(ContainerInterface, rows, wanted)
        for key in wanted.keys() - rows.keys():
            rows[key] = ContainerInterface(container_id=containers[key[:2]].pk, ifname=key[2])
        self._save(ContainerInterface, rows, wanted)

    def _made_by_panel(
        self, wanted: Mapping[Key, Values], names_of: Callable[[Ours], frozenset[str]]
    ) -> None:
        for look in self.looks:
            for name in names_of(look.ours or Ours()):
                if values := wanted.get((look.server_id, name)):
                    values["origin"] = Origin.PANEL

    def _vanish(self, model: type[Any], rows: Mapping[Any, Any], wanted: Mapping[Key, Values]) -> None:
        gone: dict[datetime, list[int]] = {}
        for key, row in rows.items():
            if key not in wanted and row.gone_at is None:
                gone.setdefault(self.at[key[0]], []).append(row.pk)
                self.synced[key[0]].vanished += 1
        for at, pks in gone.items():
            model._default_manager.filter(pk__in=pks).update(gone_at=at)

    def _save(
        self,
        model: type[Any],
        rows: Mapping[Any, Any],
        wanted: Mapping[Key, Values],
        fresh: Collection[Key] = (),
    ) -> None:
        """Create rows without a primary key, update those that differ from what is wanted."""
        created, updated = [], []
        for key, values in wanted.items():
            row, synced = rows[key], self.synced[key[0]]
            returned = row.gone_at is not None
            row.gone_at = None
            if not self._assign(model, row, values) and not returned and row.pk:
                continue
            if row.pk is None:
                created.append(row)
                synced.appeared += 1
                continue
            updated.append(row)
            if returned:
                synced.returned += 1
            elif key not in fresh:
                synced.changed += 1
        model._default_manager.bulk_create(created)
        if updated:
            columns = {name for values in wanted.values() for name in values} | {"gone_at"}
            update_rows(model, updated, sorted(columns))

    @staticmethod
    def _assign(model: type[Any], row: Any, values: Values) -> bool:
        """Set the columns; True if one of them was different."""
        is_different = False
        for name, value in values.items():
            value = fit(model, name, value)
            if getattr(row, name) != value:
                setattr(row, name, value)
                is_different = True
        return is_different


def update_rows(model: type[Any], rows: Sequence[Any], columns: Sequence[str]) -> None:
    """Write those columns of the rows, one short statement each, prepared once.

    What bulk_update writes, without its one long expression per column, which takes longer to put together
    than these statements to run.
    """
    names = [model._meta.get_field(column).attname for column in columns]
    write_columns(model, columns, [(row.pk, [getattr(row, name) for name in names]) for row in rows])


def write_columns(
    model: type[Any], columns: Sequence[str], rows: Sequence[tuple[Any, Sequence[Any]]]
) -> None:
    """The same for rows of which only the primary key is at hand, and the values in the columns' order."""
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
                    *(
                        field.get_db_prep_save(value, connection)
                        for field, value in zip(fields, values, strict=True)
                    ),
                    key.get_db_prep_save(pk, connection),
                )
                for pk, values in rows
            ],
        )


def _pk(rows: Mapping[Any, Any], key: Key) -> int | None:
    """Primary key of the row of that name, None if there is none."""
    return rows[key].pk if key in rows else None


def fit(model: type[models.Model], column: str, value: Any) -> Any:
    """The value as the column can hold it: PostgreSQL refuses text that is too long, and NUL in any text."""
    limit = getattr(model._meta.get_field(column), "max_length", None)
    if isinstance(value, str):
        value = value.replace("\0", "")
        return value[:limit] if limit else value
    return value
