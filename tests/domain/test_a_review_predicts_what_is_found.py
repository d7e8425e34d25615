"""Who shares layer 2 is the same before a Change and after it: predicted, decided, and found on the servers.

Addresses are left out: simulated containers do not change inside.
"""

from __future__ import annotations

from random import Random

from hypothesis import event, given, settings

from networks.domain.visibility import EndPoint, Visibility, observed, visibility
from tests.domain import strategies
from tests.domain.installation import Installation

STEPS = 4
"""Changes in a row, each on what the one before and somebody's hands left."""


@settings(max_examples=20, deadline=None)
@given(strategies.seeds)
def test_layer_2_is_found_as_it_was_predicted(rng: Random) -> None:
    world = Installation(strategies.world(rng))
    for _ in range(STEPS):
        for number, facts in world.looks.items():
            world.looks[number] = strategies.strangers(rng, facts, world.desired, number)
        draft = world.draft(rng)
        predicted = visibility(draft, world.desired, world.inventory())
        world.apply(draft)
        found = observed(world.inventory())
        decided = visibility(world.desired, world.desired, world.inventory())
        event(f"{len([a for a in world.desired.assignments if a.bridge])} adopted bridges")
        assert differing(predicted, found) == []
        assert differing(decided, found) == []


def differing(told: Visibility, found: Visibility) -> list[tuple[EndPoint, EndPoint, str, str]]:
    """Pairs of which the two tell differently, each with both answers."""
    interfaces = [i.key for i in found.world.scene.inventory.interfaces if i.mode == "bridged"]
    pairs: list[tuple[EndPoint, EndPoint]] = [(a, b) for a in interfaces for b in interfaces]
    pairs += [(a, b) for a in found.hosts() for b in found.hosts()]
    answers = ((a, b, told.layer2_answer(a, b), found.layer2_answer(a, b)) for a, b in pairs)
    return [answer for answer in answers if answer[2] != answer[3]]
