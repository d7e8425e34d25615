"""How many problems each network has, for the lists: counted when the rules are asked about everything."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import transaction

from networks.domain.inventory import NetworkRef
from networks.domain.rules import Problem
from networks.models import Judgement, VirtualNetwork


def count(problems: Iterable[Problem]) -> None:
    """Store the numbers of these problems, all that there are, with the networks that they are about."""
    by_network: dict[str, list[Problem]] = {}
    for problem in problems:
        for network in {s.id for s in problem.subjects if isinstance(s, NetworkRef)}:
            by_network.setdefault(network, []).append(problem)
    stored = {str(pk) for pk in VirtualNetwork.objects.values_list("pk", flat=True)}
    with transaction.atomic():
        Judgement.objects.exclude(network__in=[uuid.UUID(pk) for pk in by_network]).delete()
        Judgement.objects.bulk_create(
            [_row(pk, found) for pk, found in by_network.items() if pk in stored],
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
