"""Stored intents as the domain's values, and where a state breaches them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import F, Max

from networks.choices import MeasurementState, OperationState
from networks.domain.intent import Breach, Intent, breaches, breaches_measured, weighed
from networks.domain.inventory import Inventory, ServerRef
from networks.domain.rules import Problem
from networks.domain.state import Desired, InterfaceKey, NetworkId, ServerId
from networks.domain.visibility import EndPoint, HostKey, OtherHosts, Visibility, observed, visibility
from networks.models import Measurement, NetworkIntent, Operation
from networks.points import point_text, short_point


def stored(rows: Iterable[NetworkIntent] | None = None) -> list[Intent]:
    """The intents of those rows, or all. One query."""
    found = NetworkIntent.objects.order_by("pk") if rows is None else rows
    return [intent_of(row) for row in found]


def intent_of(row: NetworkIntent) -> Intent:
    """The row as a value."""
    return Intent(str(row.network_id), row.kind, _point(row.source), _point(row.target))  # type: ignore[arg-type]


def _point(text: str) -> EndPoint | None:
    return short_point(text) if text else None


def servers_meant(intents: Iterable[Intent]) -> frozenset[ServerId]:
    """The servers that the intents' ends are, or are on: there need not be a virtual network on them."""
    ends = (end for intent in intents for end in (intent.source, intent.target))
    return _servers_of(*(end for end in ends if end is not None))


def intent_subject(intent: Intent, where: str) -> dict[str, Any]:
    """The row among a problem's subjects that says which intent it is of, and as what it is breached."""
    ends = {"source": intent.source, "target": intent.target}
    texts = {name: point_text(end) if end else "" for name, end in ends.items()}
    return {"kind": "intent", "network": intent.network, "meant": intent.kind, **texts, "as": where}


def intent_of_problem(subjects: Iterable[Mapping[str, Any]]) -> tuple[Intent | None, str]:
    """The intent that a problem with those subjects is a breach of, and as what it is breached."""
    for row in subjects:
        if row["kind"] == "intent":
            ends = _point(row["source"]), _point(row["target"])
            return Intent(row["network"], row["meant"], *ends), row["as"]
    return None, ""


def breached_by(
    before: Desired,
    after: Desired,
    known: Inventory,
    intents: Collection[Intent],
    reviewed: Desired | None = None,
) -> tuple[Problem, ...]:
    """What a draft breaches, as warnings. No query; nothing is computed where nothing is meant.

    What `before` or `reviewed` breaches already is marked as `existing`. `known` has the servers meant.
    """
    if not intents or before == after:
        return ()
    old = (before,) if reviewed is None else (before, reviewed)
    sights = [(visibility(state, before, known), state) for state in (after, *old)]
    return weighed(intents, *sights)


def breached(state: Desired, known: Inventory, intents: Collection[Intent]) -> tuple[tuple[Breach, str], ...]:
    """What is breached as decided, what only by what the last looks found, and what only as measured.

    Each with "desired", "observed" or "measured". `known` has the servers meant.
    """
    if not intents:
        return ()
    decided = breaches(intents, visibility(state, state, known), state)
    left = [intent for intent in intents if intent not in {breach.intent for breach in decided}]
    seen = observed(known, state)
    found = breaches(left, seen, state) if left else ()
    left = [intent for intent in left if intent not in {breach.intent for breach in found}]
    measured = _breached_as_measured(left, seen, state) if left else ()
    return (
        *((breach, "desired") for breach in decided),
        *((breach, "observed") for breach in found),
        *((breach, "measured") for breach in measured),
    )


Cell = tuple[HostKey, HostKey, str]
"""Origin, target and layer: what one try of a measurement is about."""


def _breached_as_measured(
    intents: Collection[Intent], seen: Visibility, state: Desired
) -> tuple[Breach, ...]:
    by_network = measured_now({intent.network for intent in intents}, state)
    return tuple(
        breach
        for intent in intents
        for breach in breaches_measured([intent], by_network[intent.network], seen, state)
    )


def measured_now(networks: Collection[NetworkId], state: Desired) -> dict[NetworkId, dict[Cell, str]]:
    """What still holds of what was measured, for the intents of each of the networks. Up to three queries.

    Of each pair the newest measurement that could tell counts, whatever it was about, of those that are
    kept. It holds until a Change is decided that had something to do on a server of one of the two or on one
    of the network's: what is done elsewhere, and measuring others, leaves it as it is. A way over a server
    that is neither is told anew only when the pair is measured again.
    """
    done = Measurement.objects.filter(state=MeasurementState.DONE)
    rows = list(done.values_list("pk", "asked_at", "servers"))
    touched = _touched_since(rows[-1][1]) if rows else {}
    newest: dict[tuple[str, str, str], tuple[str, datetime]] = {}
    # Cells are large: those whose servers have all been changed since are not read.
    holding = [pk for pk, at, servers in rows if any(_is_as_at(at, {server}, touched) for server in servers)]
    for at, cells in done.filter(pk__in=holding).values_list("asked_at", "cells") if holding else ():
        for a, b, layer, _, measured in cells:
            if measured != "unknown":
                newest.setdefault((a, b, layer), (measured, at))
    held = list(_held(newest, touched))
    return {
        network: {
            cell: answer for cell, answer, at in held if _is_as_at(at, state.servers_of(network), touched)
        }
        for network in networks
    }


def _held(
    newest: Mapping[tuple[str, str, str], tuple[str, datetime]], touched: Mapping[ServerId, datetime]
) -> Iterator[tuple[Cell, str, datetime]]:
    """Those whose two ends are on servers that nobody has changed since."""
    for (a, b, layer), (measured, at) in newest.items():
        origin, target = short_point(a), short_point(b)
        if origin is None or target is None or isinstance(origin, InterfaceKey):
            continue
        if not isinstance(target, InterfaceKey) and _is_as_at(at, _servers_of(origin, target), touched):
            yield (origin, target, layer), measured, at


def _servers_of(*points: EndPoint) -> frozenset[ServerId]:
    """The servers that the points are, or are on."""
    return frozenset(
        point.id if isinstance(point, ServerRef) else point.server
        for point in points
        if not isinstance(point, OtherHosts)
    )


def _is_as_at(at: datetime, servers: Collection[ServerId], touched: Mapping[ServerId, datetime]) -> bool:
    return all(server not in touched or touched[server] <= at for server in servers)


def _touched_since(at: datetime) -> dict[ServerId, datetime]:
    """When a Change was decided last, since then, that had something to do on a server. One query.

    By decisions, not by revisions: bringing a server back to what was decided makes no revision.
    """
    parts = Operation.objects.filter(
        change__decisions__wave=F("wave"), change__decisions__decided_at__gt=at, server__isnull=False
    ).exclude(state=OperationState.LEFT_OUT)
    return dict(
        parts.order_by()
        .values("server")
        .annotate(at=Max("change__decisions__decided_at"))
        .values_list("server", "at")
    )
