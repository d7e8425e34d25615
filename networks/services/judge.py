"""Judging all networks as decided, for the lists: in the background, and only when something has changed.

A page about one network asks the rules itself; a list of two hundred cannot.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from hashlib import sha256

import structlog
from django.db import transaction

from networks.desired import head
from networks.domain.inventory import NetworkRef
from networks.domain.rules import Problem, problems_of
from networks.inventory_rows import inventory, servers_named
from networks.models import Judgement, VirtualNetwork
from nodes.models import Adapter, Look

log = structlog.get_logger(__name__)

REST = 20
"""Judging takes at most one part in so many of the worker's time, however large the installation is."""


class _Memory:
    """What this process judged last: nothing is lost with it but one judging more."""

    signature = ""
    again_at = 0.0


def judge_if_changed() -> bool:
    """Judge all networks, unless nothing has changed since or the last judging was long; whether it did."""
    if time.monotonic() < _Memory.again_at:
        return False
    signature = _signature()
    if signature == _Memory.signature:
        return False
    began = time.monotonic()
    judge()
    took = time.monotonic() - began
    _Memory.signature, _Memory.again_at = signature, time.monotonic() + REST * took
    log.info("networks_judged", seconds=round(took, 2))
    return True


def judge() -> None:
    """Ask the rules about everything that was decided, and store the answer for each network."""
    state = head().state
    known = inventory(servers_named(state))
    by_network: dict[str, list[Problem]] = {}
    for problem in problems_of(state, known):
        for network in {s.id for s in problem.subjects if isinstance(s, NetworkRef)}:
            by_network.setdefault(network, []).append(problem)
    stored = {str(pk) for pk in VirtualNetwork.objects.values_list("pk", flat=True)}
    with transaction.atomic():
        Judgement.objects.exclude(network__in=[uuid.UUID(pk) for pk in by_network]).delete()
        Judgement.objects.bulk_create(
            [_row(pk, problems) for pk, problems in by_network.items() if pk in stored],
            update_conflicts=True,
            unique_fields=["network"],
            update_fields=["refused", "warned", "at"],
        )


def _row(network: str, problems: Iterable[Problem]) -> Judgement:
    severities = [problem.severity for problem in problems]
    return Judgement(
        network_id=uuid.UUID(network),
        refused=severities.count("refuse"),
        warned=severities.count("warn"),
    )


def _signature() -> str:
    """Other than before when the decided state, a server, or the wire of an adapter may be another."""
    looks = Look.objects.order_by("server_id").values_list("server_id", "digest")
    wires = Adapter.objects.exclude(segment=None).order_by("pk").values_list("pk", "segment_id")
    return sha256(repr((head().number, list(looks), list(wires))).encode()).hexdigest()
