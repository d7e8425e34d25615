"""Ready drafts for a standing problem: what would mend it, on top of the user's draft."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from networks.desired import head
from networks.domain.intent import Breach, breaches
from networks.domain.inventory import Inventory
from networks.domain.mend import MENDED, Way, servers_about, ways_of_breach, ways_of_rule
from networks.domain.state import Desired, apply_edits
from networks.domain.visibility import visibility
from networks.engine.subjects import subject_of
from networks.intents import intent_of_problem, stored
from networks.inventory_rows import inventory
from networks.models import NetworkIntent, StandingProblem
from networks.services.sight import servers_near, token
from networks.slices import draft_edits
from nodes.querysets import AnyUser


@dataclass(frozen=True, slots=True)
class Offered:
    """A way, named by a token until the situation changes."""

    way: Way
    token: str


def may_be_mended(problem: StandingProblem) -> bool:
    """Whether the panel may have ready edits for problems of that cause."""
    return problem.cause == "breach" or problem.cause in MENDED


def offered(user: AnyUser, problem: StandingProblem) -> list[Offered]:
    """Ways to mend the problem, judged with what the user may see. A fixed number of queries."""
    subjects = tuple(s for row in problem.subjects if (s := subject_of(row)) is not None)
    state = apply_edits(head().state, draft_edits(user))
    networks = [row["network"] for row in problem.subjects if row["kind"] == "network"]
    seeds = {*servers_about(subjects), *(s for n in networks for s in state.servers_of(n))}
    known = inventory(servers_near(seeds, state), user)
    if problem.cause == "breach":
        found = tuple(
            way for breach in _breaches(problem, state, known) for way in ways_of_breach(breach, state, known)
        )
    else:
        found = ways_of_rule(problem.cause, subjects, state, known)
    return [Offered(way, token(way.fix.edits)) for way in found]


def _breaches(problem: StandingProblem, state: Desired, known: Inventory) -> tuple[Breach, ...]:
    """The breach of the intent that the problem is about, while it is meant."""
    intent, _ = intent_of_problem(problem.subjects)
    if intent is None or intent not in stored(
        NetworkIntent.objects.filter(network=uuid.UUID(intent.network))
    ):
        return ()
    return breaches([intent], visibility(state, state, known), state)
