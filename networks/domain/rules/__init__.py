"""The rules of virtual networks: what is refused, and what is warned about.

Each rule is one named pure function of (before, after, inventory) that gives the problems of `after`.
`problems_of` says what is wrong with a state; `review` what is wrong with a draft on top of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from networks.domain.errands import with_errands
from networks.domain.inventory import Inventory, Subject
from networks.domain.rules.adapters import (
    adapter_can_be_bridged,
    adapter_exists,
    adapter_is_in_one_network,
    adapters_of_one_bridge_are_in_one_network,
    one_assignment_per_server,
    server_is_registered,
    tags_stay_out_of_containers,
    windows_servers_are_only_shown,
)
from networks.domain.rules.boot import boot_brings_back_what_runs
from networks.domain.rules.edits import edits_meet_what_is_there
from networks.domain.rules.hidden import as_told
from networks.domain.rules.interfaces import (
    address_can_be_set,
    address_is_fit,
    address_is_not_an_inner_bridges,
    address_may_not_last,
    address_meets_an_interface,
    errands_meet_a_container,
    host_side_name_is_free,
    new_interface_is_new,
    new_interface_mac_is_fit,
    new_interface_name_is_fit,
    removed_interface_is_in_no_network,
    removed_interface_is_there,
)
from networks.domain.rules.membership import (
    addresses_are_unique,
    interface_is_in_one_network,
    member_exists,
    member_is_bridged,
    members_have_addresses,
    members_share_a_subnet,
)
from networks.domain.rules.naming import folded, network_name_is_fit, network_name_is_unique
from networks.domain.rules.problem import Problem, Rule, Severity
from networks.domain.rules.reach import (
    adapters_share_a_wire,
    local_network_is_on_one_server,
    no_ring_through_containers,
    wires_carry_one_network,
)
from networks.domain.rules.use import network_in_use_stays, server_in_use
from networks.domain.rules.vlans import (
    members_are_on_the_vlan_decided,
    vlan_base_is_nic_or_bond,
    vlan_id_is_in_range,
    vlan_id_is_unique_on_base,
    vlan_in_use_stays,
    vlan_is_not_remade_at_once,
    vlan_name_is_fit,
    vlan_name_is_unique,
)
from networks.domain.state import Desired, Edit, apply_edits

__all__ = [
    "ERRANDS",
    "REFUSALS",
    "WARNINGS",
    "Problem",
    "Rule",
    "Severity",
    "breaks_between_servers",
    "folded",
    "problems_of",
    "review",
    "server_in_use",
    "unreviewed",
]

REFUSALS: tuple[Rule, ...] = (
    network_name_is_unique,
    network_name_is_fit,
    server_is_registered,
    member_is_bridged,
    member_exists,
    interface_is_in_one_network,
    adapter_is_in_one_network,
    adapters_of_one_bridge_are_in_one_network,
    one_assignment_per_server,
    adapter_exists,
    vlan_base_is_nic_or_bond,
    vlan_id_is_in_range,
    vlan_id_is_unique_on_base,
    vlan_name_is_fit,
    vlan_name_is_unique,
    vlan_is_not_remade_at_once,
    members_are_on_the_vlan_decided,
    local_network_is_on_one_server,
    no_ring_through_containers,
    network_in_use_stays,
    vlan_in_use_stays,
    adapter_can_be_bridged,
    windows_servers_are_only_shown,
)
WARNINGS: tuple[Rule, ...] = (
    adapters_share_a_wire,
    wires_carry_one_network,
    members_share_a_subnet,
    members_have_addresses,
    addresses_are_unique,
    tags_stay_out_of_containers,
    boot_brings_back_what_runs,
)
ERRANDS: tuple[Rule, ...] = (
    errands_meet_a_container,
    new_interface_name_is_fit,
    new_interface_is_new,
    host_side_name_is_free,
    new_interface_mac_is_fit,
    removed_interface_is_there,
    removed_interface_is_in_no_network,
    address_is_fit,
    address_meets_an_interface,
    address_can_be_set,
    address_is_not_an_inner_bridges,
    address_may_not_last,
)
"""About what is to be done once; asked about what was seen, not about what the errands will leave."""
BETWEEN_SERVERS: tuple[Rule, ...] = (
    network_name_is_unique,
    local_network_is_on_one_server,
    no_ring_through_containers,
    network_in_use_stays,
)
"""Refusals that depend on several servers: the others hold for a part of a draft if they do for the whole."""
FOUND_NOT_MADE = frozenset({"partitioned", "vlan-remade"})
"""Refusals that are warnings when the edits only write down what was found (adopting, a container moved)."""


def problems_of(state: Desired, inventory: Inventory, rules: Iterable[Rule] = ()) -> tuple[Problem, ...]:
    """Everything wrong with a state as it is, by all rules or the given ones."""
    expected = with_errands(inventory, state)
    rules = tuple(rules) or (*REFUSALS, *WARNINGS, *ERRANDS)
    found = (
        problem
        for rule in rules
        for problem in rule(state, state, inventory if rule in ERRANDS else expected)
    )
    return tuple(as_told(found, (state,), inventory))


def review(
    before: Desired, edits: Sequence[Edit], inventory: Inventory, *, found: bool = False
) -> tuple[Problem, ...]:
    """The problems of the state that the edits make of `before`.

    One problem never blocks an unrelated edit: what was wrong before and is not touched is a warning marked
    `existing`. Touched means: no problem of the same kind in `before` already had all its subjects, so
    that leaving a problem as it was, or lessening it, is always possible. `found`: the edits write down
    what is so already.
    """
    after = apply_edits(before, edits)
    expected = with_errands(inventory, after)
    problems = edits_meet_what_is_there(before, edits, inventory)
    problems.extend(problem for rule in ERRANDS for problem in rule(before, after, inventory))
    for rule in (*REFUSALS, *WARNINGS):
        new = rule(before, after, expected)
        # Most rules find nothing, and then the old state need not be asked.
        old = _subjects_by_kind(rule(before, before, inventory)) if new else {}
        problems.extend(_weighed(problem, old, found=found) for problem in new)
    return tuple(as_told(problems, (after, before), inventory))


def breaks_between_servers(before: Desired, edits: Sequence[Edit], inventory: Inventory) -> bool:
    """Whether a part of a reviewed draft, applied without the rest, would be refused."""
    after = apply_edits(before, edits)
    for rule in BETWEEN_SERVERS:
        new = rule(before, after, inventory)
        old = _subjects_by_kind(rule(before, before, inventory)) if new else {}
        if any(_weighed(problem, old, found=False).severity == "refuse" for problem in new):
            return True
    return False


def unreviewed(now: Iterable[Problem], reviewed: Iterable[Problem]) -> tuple[Problem, ...]:
    """Warnings among `now` that somebody who saw `reviewed` did not see, so that they wait for a tick.

    One with fewer subjects than one of the same kind that was seen is that one, lessened.
    """
    seen = _subjects_by_kind(reviewed)
    return tuple(
        problem
        for problem in now
        if problem.severity == "warn" and not problem.existing and not _is_among(problem, seen)
    )


_ByKind = dict[tuple[str, str], dict[Subject, list[frozenset[Subject]]]]


def _subjects_by_kind(problems: Iterable[Problem]) -> _ByKind:
    """Subjects of problems by code and detail, and by each subject, so that look-ups stay short."""
    by_kind: _ByKind = {}
    for problem in problems:
        subjects = frozenset(problem.subjects)
        for subject in subjects:
            by_kind.setdefault((problem.code, problem.detail), {}).setdefault(subject, []).append(subjects)
    return by_kind


def _weighed(problem: Problem, old: _ByKind, *, found: bool) -> Problem:
    if _is_among(problem, old):
        return replace(problem, severity="warn", existing=True)
    if found and problem.code in FOUND_NOT_MADE:
        return replace(problem, severity="warn")
    return problem


def _is_among(problem: Problem, old: _ByKind) -> bool:
    """Whether one problem of the same kind had all its subjects already."""
    candidates = (
        old.get((problem.code, problem.detail), {}).get(problem.subjects[0], []) if problem.subjects else []
    )
    return any(subjects.issuperset(problem.subjects) for subjects in candidates)
