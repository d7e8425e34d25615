"""Recording changes of rows, whichever way they come: page, administration, API, import, command line.

A model is named once with the columns that people decide about; from then on each `save` and `delete` of a
row leaves a line in the audit trail, in the same transaction. `QuerySet.update`, `bulk_…` and `delete_untold`
do not come through here: services that use them call `trust.audit.record` themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models.signals import post_delete, post_save, pre_save

from trust.audit import record
from vnetpanel.crypto import Token, WrongKeyError

Servers = Callable[[Any], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Watched:
    """A model, what its rows are called in the trail, and which columns count."""

    model: type[models.Model]
    action: str
    columns: tuple[str, ...]
    secrets: tuple[str, ...]
    servers: Servers

    def name_of(self, row: Any) -> str:
        return f"{self.model._meta.verbose_name!s} {row}"


def watch(
    model: type[models.Model],
    columns: Collection[str],
    *,
    secrets: Collection[str] = (),
    servers: Servers = lambda row: (),
) -> None:
    """Record additions, changes of these columns and removals. Of `secrets` only that they changed."""
    watched = Watched(model, _action(model), tuple(columns), tuple(secrets), servers)

    def before(sender: Any, instance: Any, raw: bool, update_fields: Any, **kwargs: Any) -> None:
        instance.__dict__["_audit_changes"] = (
            [] if raw or instance._state.adding else _changes(watched, instance, update_fields)
        )

    def after(sender: Any, instance: Any, created: bool, raw: bool, **kwargs: Any) -> None:
        changes = instance.__dict__.pop("_audit_changes", [])
        if raw:
            return
        if created:
            _record(watched, "added", instance, _described(watched, instance))
        elif changes:
            _record(watched, "changed", instance, "; ".join(changes))

    pre_save.connect(before, sender=model, weak=False)
    post_save.connect(after, sender=model, weak=False)
    watch_removals(model, servers=servers)


def watch_removals(model: type[models.Model], *, servers: Servers = lambda row: ()) -> None:
    """Record removals alone: of rows that are added and changed only by what has a line of its own."""
    watched = Watched(model, _action(model), (), (), servers)

    def removed(sender: Any, instance: Any, origin: Any = None, **kwargs: Any) -> None:
        # What goes along with something else is told by that one's line; what it needs may be gone already.
        if origin is not instance and getattr(origin, "model", None) is not sender:
            return
        _record(watched, "removed", instance, "")

    post_delete.connect(removed, sender=model, weak=False)


def delete_untold(rows: models.QuerySet[Any]) -> int:
    """Remove rows to which nothing refers and of whose removal another line tells, if any; how many.

    In one statement, which two requests at once rely on: `delete` reads rows whose removal is watched first
    and removes them then, whatever they have become meanwhile.
    """
    return rows._raw_delete(rows.db)


def _action(model: type[models.Model]) -> str:
    return str(model._meta.verbose_name).lower().replace(" ", "_")


def _record(watched: Watched, what: str, row: Any, details: str) -> None:
    name = watched.name_of(row)
    text = f"{name[:1].upper()}{name[1:]} was {what}{f': {details}' if details else ''}."
    record(f"{watched.action}.{what}", text, servers=watched.servers(row))


def _described(watched: Watched, row: Any) -> str:
    shown = [(column, _shown(getattr(row, column))) for column in watched.columns]
    secret = [f"{_label(watched, name)} set" for name in watched.secrets if getattr(row, name)]
    return "; ".join([*(f"{_label(watched, name)} {value}" for name, value in shown if value), *secret])


def _changes(watched: Watched, row: Any, update_fields: Collection[str] | None) -> list[str]:
    saved = set(watched.columns + watched.secrets)
    if update_fields is not None:
        saved &= set(update_fields)
    if not saved:
        return []
    stored = watched.model._base_manager.defer(*watched.secrets).filter(pk=row.pk).first()
    if stored is None:
        return []
    found = []
    for column in watched.columns:
        if column in saved and (was := _shown(getattr(stored, column))) != (
            now := _shown(getattr(row, column))
        ):
            found.append(f"{_label(watched, column)} {was or 'nothing'} → {now or 'nothing'}")
    for column in watched.secrets:
        if column in saved and _is_other_secret(stored, row, column):
            found.append(f"{_label(watched, column)} changed")
    return found


def _is_other_secret(stored: Any, row: Any, column: str) -> bool:
    if isinstance(row.__dict__.get(column), Token):
        return False  # as the database holds it: nobody has even looked at it
    try:
        return bool(getattr(stored, column) != getattr(row, column))
    except WrongKeyError:
        return True


def _label(watched: Watched, column: str) -> str:
    return str(watched.model._meta.get_field(column).verbose_name)  # type: ignore[union-attr]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)[:200]
