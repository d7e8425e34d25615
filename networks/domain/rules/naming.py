"""Rule 1: a virtual network's name, by which people find it on every registered server."""

from __future__ import annotations

from networks.domain.inventory import Inventory, NetworkRef
from networks.domain.rules.problem import Problem
from networks.domain.state import Desired, grouped
from nodes.visible_names import as_seen, unseen_in

NAME_MAX = 64
DESCRIPTION_MAX = 500


def folded(name: str) -> str:
    """The name as people compare it: as it is seen, letter case ignored."""
    return as_seen(name).casefold()


def network_name_is_unique(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """No two networks share a name, however it is spaced or capitalised."""
    problems = []
    for same in grouped(after.networks, lambda network: folded(network.name)).values():
        if len(same) > 1 and folded(same[0].name):
            problems.append(
                Problem(
                    "name-taken",
                    "refuse",
                    f"A Virtual Network named {same[0].name.strip()} exists already.",
                    tuple(NetworkRef(network.id) for network in same),
                    "Enter another name.",
                )
            )
    return problems


def network_name_is_fit(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """A name has something to read, nothing that cannot be seen, and fits its column."""
    problems = []
    for network in after.networks:
        if not network.name.strip():
            text = "A Virtual Network needs a name."
        elif len(network.name) > NAME_MAX:
            text = f"The name of a Virtual Network has at most {NAME_MAX} characters."
        elif unseen := unseen_in(network.name):
            text = f"The name of a Virtual Network {unseen}."
        elif len(network.description) > DESCRIPTION_MAX:
            text = f"The description of a Virtual Network has at most {DESCRIPTION_MAX} characters."
        else:
            continue
        problems.append(Problem("name-unfit", "refuse", text, (NetworkRef(network.id),), "Enter another."))
    return problems
