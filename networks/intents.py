"""Stored intents as the domain's values, and where a state breaches them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from networks.choices import MeasurementState
from networks.domain.intent import Breach, Intent, breaches, breaches_measured, weighed
from networks.domain.inventory import Inventory
from networks.domain.rules import Problem
from networks.domain.state import Desired, InterfaceKey
from networks.domain.visibility import EndPoint, HostKey, observed, visibility
from networks.models import Measurement, NetworkIntent, Revision
from networks.points import short_point


def stored(rows: Iterable[NetworkIntent] | None = None) -> list[Intent]:
    """The intents of those rows, or all. One query."""
    found = NetworkIntent.objects.order_by("pk") if rows is None else rows
    return [intent_of(row) for row in found]


def intent_of(row: NetworkIntent) -> Intent:
    """The row as a value."""
    return Intent(str(row.network_id), row.kind, _point(row.source), _point(row.target))  # type: ignore[arg-type]


def _point(text: str) -> EndPoint | None:
    return short_point(text) if text else None


def breached_by(
    before: Desired,
    after: Desired,
    known: Inventory,
    intents: Collection[Intent],
    reviewed: Desired | None = None,
) -> tuple[Problem, ...]:
    """What a draft breaches, as warnings. No query; nothing is computed where nothing is meant.

    What `before` or `reviewed` breaches already is marked as `existing`.
    """
    if not intents or before == after:
        return ()
    old = (before,) if reviewed is None else (before, reviewed)
    sights = [(visibility(state, before, known), state) for state in (after, *old)]
    return weighed(intents, *sights)


def breached(state: Desired, known: Inventory) -> tuple[tuple[Breach, str], ...]:
    """What is breached as decided, what only by what the last looks found, and what only as measured.

    Each with "desired", "observed" or "measured".
    """
    intents = stored()
    if not intents:
        return ()
    decided = breaches(intents, visibility(state, state, known), state)
    left = [intent for intent in intents if intent not in {breach.intent for breach in decided}]
    seen = observed(known, state)
    found = breaches(left, seen, state) if left else ()
    left = [intent for intent in left if intent not in {breach.intent for breach in found}]
    measured = breaches_measured(left, measured_now(), seen, state) if left else ()
    return (
        *((breach, "desired") for breach in decided),
        *((breach, "observed") for breach in found),
        *((breach, "measured") for breach in measured),
    )


def measured_now() -> dict[tuple[HostKey, HostKey, str], str]:
    """What the last measurement said, unless something has been decided since. One query, two with one."""
    row = Measurement.objects.filter(state=MeasurementState.DONE).first()
    if row is None or Revision.objects.filter(decided_at__gt=row.asked_at).exists():
        return {}
    found: dict[tuple[HostKey, HostKey, str], str] = {}
    for a, b, layer, _, measured in row.cells:
        origin, target = short_point(a), short_point(b)
        if origin is None or target is None or isinstance(origin, InterfaceKey | None):
            continue
        if not isinstance(target, InterfaceKey) and measured != "unknown":
            found[origin, target, layer] = measured
    return found
