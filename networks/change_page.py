"""What the page of a Change shows of its servers: in waves, of which one is open at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from networks.choices import IDLE_OPERATION_STATES, ChangeState, OperationState
from networks.domain.waves import ALL_AT_ONCE, MOST, widths_offered
from networks.models import Change, Operation
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser
from vnetpanel.numbers import number

SUMMARY = ("pk", "server", "wave", "state", "server_name", "is_unreachable", "refusals")
TROUBLE = {
    OperationState.FAILED,
    OperationState.IN_DOUBT,
    OperationState.BEHIND,
    OperationState.LEFT_OUT,
    OperationState.NEEDS_ATTENTION,
}
MOST_NAMED = 10
UNHEARD = timedelta(seconds=10)
"""A worker that is there takes a Change up within a second or two."""


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave, or in a review a part of its servers, as one line: how many are how, and who is in trouble."""

    number: int
    title: str
    counts: tuple[tuple[str, str, int], ...]
    """(state, its label, how many)"""
    troubled: tuple[str, ...] = ()
    is_decided: bool = False


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of a Change for one reader."""

    waves: tuple[Wave, ...]
    open_wave: int
    operations: tuple[Operation, ...]
    """Those of the open wave, whole."""
    count: int
    hidden_count: int
    refused: bool
    unreachable: tuple[Operation, ...] = field(default=())


def servers_of(change: Change, user: AnyUser, asked: str) -> Servers:
    """The servers that the user may see, and the whole operations of one wave. Four queries.

    `asked`: the number of the wave to open; otherwise the one under way, or the first with trouble.
    """
    visible = PhysicalServer.objects.visible_to(user)
    seen = change.operations.filter(server__in=visible)
    summaries = list(seen.only(*SUMMARY, "change_id"))
    groups = _groups(change, summaries)
    decided = set(change.decisions.values_list("wave", flat=True))
    number = _open(groups, asked)
    chosen = [op.pk for op in groups.get(number, ())]
    reachable = [op for op in summaries if not op.is_unreachable]
    planned = change.state == ChangeState.PLANNED
    return Servers(
        tuple(_wave(change, n, group, n in decided) for n, group in groups.items()),
        number,
        tuple(seen.filter(pk__in=chosen).defer("host_plan")),
        len(summaries),
        change.operations.count() - len(summaries),
        any(op.refusals for op in reachable),
        tuple(op for op in summaries if op.is_unreachable) if planned else (),
    )


def _groups(change: Change, operations: Sequence[Operation]) -> dict[int, list[Operation]]:
    """By wave; a review's are not cut yet, so they come in parts that a page can hold."""
    if change.state in (ChangeState.PLANNING, ChangeState.PLANNED):
        parts = range(0, len(operations), MOST)
        return {at // MOST + 1: list(operations[at : at + MOST]) for at in parts}
    groups: dict[int, list[Operation]] = {}
    for operation in sorted(operations, key=lambda op: op.wave):
        groups.setdefault(operation.wave, []).append(operation)
    return groups


def _open(groups: dict[int, list[Operation]], asked: str) -> int:
    if (wave := number(asked)) in groups:
        return wave
    under_way = [
        n for n, group in groups.items() if any(op.state not in IDLE_OPERATION_STATES for op in group)
    ]
    begun = [n for n in under_way if any(op.state != OperationState.QUEUED for op in groups[n])]
    troubled = [n for n, group in groups.items() if _troubled(group)]
    return next(iter((*begun, *under_way, *troubled, *groups)), 1)


def _troubled(operations: Sequence[Operation]) -> list[str]:
    return [op.server_name for op in operations if op.state in TROUBLE]


def _wave(change: Change, number: int, operations: Sequence[Operation], is_decided: bool) -> Wave:
    counted = Counter(op.state for op in operations)
    if change.state == ChangeState.PLANNED:
        first = (number - 1) * MOST + 1
        title = f"Servers {first} to {first + len(operations) - 1}"
        return Wave(number, title, ())
    counts = tuple((state, str(OperationState(state).label), n) for state, n in sorted(counted.items()))
    title = f"Wave {number}" + (": the first server" if number == 1 and change.width != ALL_AT_ONCE else "")
    return Wave(number, title, counts, tuple(_troubled(operations)[:MOST_NAMED]), is_decided)


def width_choices(servers: int) -> list[tuple[int, str]]:
    """How the servers of a reviewed Change may go, as choices of a form; none where there is no choice."""
    widths = widths_offered(servers)
    if len(widths) < 2:
        return []
    return [(width, _how(width, servers)) for width in widths]


def _how(width: int, servers: int) -> str:
    if width == ALL_AT_ONCE:
        return (
            "Both servers at once, all or none"
            if servers == 2
            else f"All {servers} servers at once, all or none"
        )
    if width >= servers - 1:
        return "One server first, then the rest"
    return f"One server first, then {width} at a time"


def waits_for_worker(change: Change) -> bool:
    """Whether the Change was sent a while ago and nobody works on it: broker or worker may be away."""
    if change.state not in (ChangeState.PLANNING, ChangeState.QUEUED) or change.sent_at is None:
        return False
    now = timezone.now()
    is_owned = change.lease_until is not None and change.lease_until > now
    return not is_owned and now - change.sent_at > UNHEARD
