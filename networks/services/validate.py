"""The rules on top of the newest desired: in forms, at the review, and once more when it is stored."""

from __future__ import annotations

from collections.abc import Iterable

from networks.domain.inventory import NetworkRef
from networks.domain.rules import Problem, review
from networks.domain.rules import problems_of as rules_of
from networks.domain.state import Desired, Edit, apply_edits
from networks.inventory_rows import inventory, servers_named
from nodes.querysets import AnyUser


def problems(newest: Desired, edits: Iterable[Edit], user: AnyUser | None = None) -> tuple[Problem, ...]:
    """What the rules say about the edits on top of that state, refusals first, from the stored inventory."""
    edits = tuple(edits)
    after = apply_edits(newest, edits)
    known = inventory(servers_named(newest, after), user)
    return review(newest, edits, known)


def refusals(newest: Desired, edits: Iterable[Edit], user: AnyUser | None = None) -> tuple[Problem, ...]:
    """Only what forbids the edits."""
    return tuple(problem for problem in problems(newest, edits, user) if problem.severity == "refuse")


def problems_of(network_id: str, state: Desired, user: AnyUser | None = None) -> tuple[Problem, ...]:
    """What is wrong with one network as it is: shown wherever the network is shown."""
    known = inventory(servers_named(state), user)
    return tuple(
        problem
        for problem in rules_of(state, known)
        if not problem.subjects or NetworkRef(network_id) in problem.subjects
    )
