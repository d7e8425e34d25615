"""What a reader may not see counts but is not named: problems that lie wholly on servers hidden from her."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from networks.domain import words
from networks.domain.inventory import Inventory, NetworkRef, ServerRef, Subject
from networks.domain.rules.problem import Problem
from networks.domain.state import Desired, ServerId

OF_ONE_SERVER = frozenset(
    {
        "address-may-not-last",
        "address-needs-guest",
        "assigned-twice",
        "bridge-shared",
        "duplicate-ip",
        "duplicate-mac",
        "host-name-taken",
        "reboot-risk",
        "tag-leak",
        "vlan-base-gone",
        "vlan-differs",
        "vlan-foreign",
        "vlan-id-range",
        "vlan-id-taken",
        "vlan-in-use",
        "vlan-name-taken",
        "vlan-name-unfit",
        "vlan-on-slave",
        "vlan-on-vlan",
        "vlan-remade",
    }
)
"""Codes whose sentences name adapters, bridges, containers or addresses as they are; the others' words are
chosen by `networks/domain/words.py`, which hides what is hidden."""


def as_told(problems: Iterable[Problem], states: Iterable[Desired], inventory: Inventory) -> list[Problem]:
    """The problems for the inventory's reader; alike ones that she may not see become one."""
    found = list(problems)
    if not inventory.hidden:
        return found
    told: dict[Problem, Problem] = {}
    states = tuple(states)
    for problem in found:
        shown = _covered(problem, states) if _is_hidden(problem, inventory) else problem
        like = replace(shown, subjects=()) if shown is not problem else shown
        if before := told.get(like):
            shown = replace(shown, subjects=tuple(dict.fromkeys((*before.subjects, *shown.subjects))))
        told[like] = shown
    return list(told.values())


def _is_hidden(problem: Problem, inventory: Inventory) -> bool:
    servers = set(servers_of(problem.subjects))
    return problem.code in OF_ONE_SERVER and bool(servers) and servers <= inventory.hidden


def _covered(problem: Problem, states: tuple[Desired, ...]) -> Problem:
    ids = sorted(subject.id for subject in problem.subjects if isinstance(subject, NetworkRef))
    what = f"{words.networks(ids, *states)} " + ("have" if len(ids) > 1 else "has") if ids else "There is"
    return replace(
        problem,
        text=f"{what} a problem on a physical server that you may not see.",
        hint="Ask somebody who may see it.",
        detail="",
    )


def servers_of(subjects: Iterable[Subject]) -> Iterator[ServerId]:
    """The servers that the subjects are or are on."""
    for subject in subjects:
        match subject:
            case NetworkRef():
                pass
            case ServerRef(id=server):
                yield server
            case _:
                yield subject.server
