"""Simulated servers and what is desired of them, changed one random accepted draft at a time."""

from __future__ import annotations

from random import Random

from hypothesis import event

from networks.domain.inventory import Inventory, ServerView
from networks.domain.names import name_bridges
from networks.domain.plan import ServerPlan, plan
from networks.domain.state import Desired, Network, apply_edits
from networks.domain.wanted import record_adopted
from nodes.facts import ServerFacts
from tests.domain import scheme, strategies
from tests.domain.simulator import simulate


class Installation:
    """Three servers and their desired state."""

    def __init__(self, looks: dict[int, ServerFacts]) -> None:
        self.looks = looks
        self.desired = Desired(networks=tuple(Network(id, id) for id in strategies.NETWORKS[:4]))

    def inventory(self) -> Inventory:
        return scheme.inventory(self.looks)

    def plans(self, after: Desired, before: Desired) -> dict[int, ServerPlan]:
        found = self.inventory()
        return {number: plan(view_of(found, number), after, before, found) for number in self.looks}

    def draft(self, rng: Random) -> Desired:
        """What a random draft would come to, as its review is shown it."""
        return apply_edits(self.desired, strategies.draft(rng, self.desired, self.inventory()))

    def apply(self, draft: Desired) -> dict[int, ServerPlan]:
        """Plan, apply on the simulated servers, record. The plans."""
        after = name_bridges(draft, self.inventory().bridge_names)
        plans = self.plans(after, self.desired)
        for number, made in plans.items():
            self.looks[number] = simulate(self.looks[number], made.host)
            after = record_adopted(after, number, made.adopted)
        self.desired = after.without_errands()
        event(f"{min(sum(len(made.host.steps) for made in plans.values()), 10)} steps")
        return plans

    def change(self, rng: Random) -> tuple[dict[int, ServerPlan], Desired, dict[int, ServerFacts]]:
        """Draft and apply. The plans, the old state, the old looks."""
        before, old = self.desired, dict(self.looks)
        return self.apply(self.draft(rng)), before, old


def view_of(found: Inventory, number: int) -> ServerView:
    view = found.server(number)
    assert view is not None
    return view
