"""Stored intents as the domain's values, and where a state breaches them."""

from __future__ import annotations

from collections.abc import Iterable

from networks.domain.intent import Breach, Intent, breaches, weighed
from networks.domain.inventory import Inventory
from networks.domain.rules import Problem
from networks.domain.state import Desired
from networks.domain.visibility import EndPoint, observed, visibility
from networks.models import NetworkIntent
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


def breached_by(before: Desired, after: Desired, known: Inventory) -> tuple[Problem, ...]:
    """What a draft breaches, as warnings. One query where nothing is meant; else who sees whom, twice."""
    intents = stored()
    if not intents:
        return ()
    new = breaches(intents, visibility(after, before, known), after)
    old = breaches(intents, visibility(before, before, known), before) if new else ()
    return weighed(new, old)


def breached(state: Desired, known: Inventory) -> tuple[tuple[Breach, str], ...]:
    """What is breached as decided ("desired"), and what only by what the last looks found ("observed")."""
    intents = stored()
    if not intents:
        return ()
    decided = breaches(intents, visibility(state, state, known), state)
    left = [intent for intent in intents if intent not in {breach.intent for breach in decided}]
    found = breaches(left, observed(known, state), state) if left else ()
    return (*((breach, "desired") for breach in decided), *((breach, "observed") for breach in found))
