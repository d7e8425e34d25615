"""Whether the members of the networks that a wave has changed reach each other, asked before the decision.

The place for a measurement: whoever can measure registers it here, and a wave is decided only if it finds
nothing. Without one, what stands for it is each server's own look (networks/domain/verify.py) and the
reachability of the servers themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from networks.models import Change, Operation

MemberCheck = Callable[[Change, Sequence[Operation]], Sequence[str]]
"""Given the Change and its wave's operations, all applied and verified one by one: a sentence for each pair
of members that should reach each other and does not. It must end within seconds: the dead-men wait."""

_checks: list[MemberCheck] = []


def register(check: MemberCheck) -> MemberCheck:
    """Ask this one too before every decision. Usable as a decorator."""
    _checks.append(check)
    return check


def check_members(change: Change, operations: Sequence[Operation]) -> list[str]:
    """What the registered checks found, as sentences; none means that the wave may be decided."""
    return [sentence for check in _checks for sentence in check(change, operations)]
