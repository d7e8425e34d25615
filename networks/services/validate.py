"""The rules on top of the newest desired: in forms, at the review, and once more when it is stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from networks.domain.inventory import NetworkRef
from networks.domain.rules import Problem, review
from networks.domain.rules import problems_of as rules_of
from networks.domain.state import AdapterKey, Desired, Edit, apply_edits
from networks.inventory_rows import inventory, servers_named
from networks.slices import Drafted
from nodes.querysets import AnyUser


def problems(
    newest: Desired,
    edits: Iterable[Edit],
    user: AnyUser | None = None,
    *,
    made: Collection[AdapterKey] = (),
    found: bool = False,
) -> tuple[Problem, ...]:
    """What the rules say about the edits on top of that state, refusals first, from the stored inventory.

    `made`: VLAN adapters that the edits have made on their servers already, before they are decided; that
    they are seen there is no reason to refuse them. `found`: the edits only write down what is so already.
    """
    edits = tuple(edits)
    after = apply_edits(newest, edits)
    known = inventory(servers_named(newest, after), user)
    if made:
        known = replace(known, adapters=tuple(a for a in known.adapters if a.key not in made))
    return review(newest, edits, known, found=found)


def refusals(
    newest: Desired,
    edits: Iterable[Edit],
    user: AnyUser | None = None,
    *,
    made: Collection[AdapterKey] = (),
    found: bool = False,
) -> tuple[Problem, ...]:
    """Only what forbids the edits."""
    return tuple(p for p in problems(newest, edits, user, made=made, found=found) if p.severity == "refuse")


def added_refusals(
    part: Drafted, new: Iterable[Edit], server_ids: Collection[int], user: AnyUser
) -> tuple[Problem, ...]:
    """What the rules refuse because of `new` edits on top of a part of the draft, for forms to say at once.

    Only those servers are known, so what other parts of the draft do elsewhere is neither seen nor said.
    """
    known = inventory(server_ids, user)
    before = set(review(part.decided, part.edits, known))
    after = review(part.decided, (*part.edits, *new), known)
    return tuple(p for p in after if p.severity == "refuse" and p not in before)


def problems_of(network_id: str, state: Desired, user: AnyUser | None = None) -> tuple[Problem, ...]:
    """What is wrong with one network as it is: shown wherever the network is shown."""
    known = inventory(servers_named(state), user)
    return tuple(
        problem
        for problem in rules_of(state, known)
        if not problem.subjects or NetworkRef(network_id) in problem.subjects
    )
