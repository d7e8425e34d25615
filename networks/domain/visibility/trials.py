"""Fixes tried on the model: what each would come to, and what makes one enough that is not enough alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from networks.domain import words
from networks.domain.inventory import Inventory, RouteView, RoutingView
from networks.domain.state import AddAddress
from networks.domain.visibility.giving import gives_host_routed
from networks.domain.visibility.model import Visibility
from networks.domain.visibility.paths import judge
from networks.domain.visibility.verdict import (
    ByHand,
    DefaultRoute,
    EndPoint,
    Fix,
    Forwards,
    Masquerades,
    Verdict,
)
from networks.domain.visibility.world import World


@dataclass(frozen=True, slots=True)
class Trial:
    """A fix with what the model predicts of it; None where it has nothing to try."""

    fix: Fix
    effect: Verdict | None = None


def tried(sight: Visibility, a: EndPoint, b: EndPoint, verdict: Verdict) -> tuple[Trial, ...]:
    """The verdict's fixes, each tried, and after it what makes it enough."""
    return tuple(dict.fromkeys(trial for fix in verdict.fixes for trial in _trials(sight, a, b, fix)))


def _trials(sight: Visibility, a: EndPoint, b: EndPoint, fix: Fix) -> Iterator[Trial]:
    if fix.edits:
        effect = sight.with_edits(fix.edits).reaches(a, b)
        yield Trial(fix, effect)
        if effect.answer != "yes" and not _gives_addresses(fix) and not gives_host_routed(fix):
            yield from _enough(sight, a, b, fix, effect)
    elif fix.by_hand:
        yield Trial(fix, _by_hand(sight, a, b, fix))
    else:
        yield Trial(fix)


def _enough(sight: Visibility, a: EndPoint, b: EndPoint, fix: Fix, effect: Verdict) -> Iterator[Trial]:
    """The fix together with an address for whom it has put on the wire, if that makes a yes of it."""
    for more in effect.fixes:
        if not _gives_addresses(more):
            continue
        both = Fix(
            f"{fix.text}, and {more.text[:1].lower()}{more.text[1:]}",
            (*fix.edits, *more.edits),
            (*fix.steps, *more.steps),
        )
        after = sight.with_edits(both.edits).reaches(a, b)
        if after.answer == "yes":
            yield Trial(both, after)
            return


def _gives_addresses(fix: Fix) -> bool:
    """Whether it is about addresses of bridged interfaces alone: a host-routed one needs no other fix."""
    is_of_addresses = bool(fix.edits) and all(isinstance(edit, AddAddress) for edit in fix.edits)
    return is_of_addresses and not gives_host_routed(fix)


# --- what a person does by hand ---


def _by_hand(sight: Visibility, a: EndPoint, b: EndPoint, fix: Fix) -> Verdict:
    scene = sight.world.scene
    scene = replace(scene, inventory=_done(scene.inventory, fix.by_hand))
    after = Visibility(World(scene), replace(sight.names, scene=scene))
    verdict = after.reaches(a, b)
    if verdict.answer == "yes":
        return verdict
    masks = (step for step in fix.by_hand if isinstance(step, Masquerades))
    found = (_behind(after, a, b, step) for step in masks)
    return next((behind for behind in found if behind is not None), verdict)


def _behind(after: Visibility, a: EndPoint, b: EndPoint, step: Masquerades) -> Verdict | None:
    """The verdict where answers need not find the container itself, only the router that stands for it."""
    first, second = after.host(a), after.host(b)
    if first is None or second is None or first.key != step.host:
        return None
    # Nothing joined the two before, so what gets there now has gone through the router.
    if not judge(after.world, first, second).back or after.answer(step.router, b) != "yes":
        return None
    me, router = words.sentence(after.name(a, short=True)), after.name(step.router, short=True)
    text = (
        f"{me} reaches {after.name(b, short=True)}: {router} forwards its packets and masquerades them, so "
        f"that the answers come back to {router}."
    )
    return Verdict("yes", text)


def _done(known: Inventory, steps: tuple[ByHand, ...]) -> Inventory:
    """The inventory after the steps. Where nobody has seen what is routed, it stays unknown."""
    for step in steps:
        if not isinstance(step, Masquerades):
            key = step.host
            known = replace(
                known,
                containers=tuple(
                    replace(c, routing=_after(c.routing, step)) if c.key == key else c
                    for c in known.containers
                ),
            )
    return known


def _after(routing: RoutingView | None, step: Forwards | DefaultRoute) -> RoutingView | None:
    if routing is None:
        return None
    if isinstance(step, Forwards):
        return replace(routing, forwards=routing.forwards | {4})
    others = (route for route in routing.routes if route.dst != "default")
    return replace(routing, routes=(*others, RouteView("default", step.via, step.dev)))
