"""Rule 14: what the next boot would not bring back is warned about, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from networks.domain.inventory import BootView, Inventory, NetworkRef, ServerRef, boot_view
from networks.domain.rules import WARNINGS, Problem, review
from networks.domain.rules.boot import boot_brings_back_what_runs
from networks.domain.state import Assign, Desired
from nodes.boot import boot_summary
from nodes.facts import Boot, ServerFacts, Transaction
from tests.domain import scheme
from tests.domain.built import DESIRED, LOOKS, plan_on
from tests.domain.scheme import A, C

FOUND = scheme.inventory(LOOKS)
KEEPS = {
    number: frozenset(
        keep.words()[1:] for keep in plan_on(number, LOOKS[number], DESIRED, DESIRED, LOOKS).host.keeps
    )
    for number in LOOKS
}
GOOD = {number: BootView("enabled", keeps) for number, keeps in KEEPS.items()}


def booting(**fields: object) -> Inventory:
    """The built scheme with server 1 as said, servers 2 and 3 without fault."""
    boots = {**GOOD, 1: replace(GOOD[1], **fields)}
    return replace(FOUND, servers=tuple(replace(one, boot=boots[one.id]) for one in FOUND.servers))


def risks(found: Inventory, after: Desired = DESIRED) -> list[Problem]:
    return boot_brings_back_what_runs(DESIRED, after, found)


def test_a_prepared_server_brings_back_what_runs() -> None:
    assert risks(booting()) == []
    assert boot_brings_back_what_runs in WARNINGS


CASES: dict[str, tuple[dict[str, object], str, str]] = {
    "nothing replays": (
        {"replay": "missing"}, "would lose Virtual Network A at its next boot", "Apply any change"
    ),
    "the replay is not enabled": ({"replay": "disabled"}, "installed but not enabled", "systemctl enable"),
    "no start hook": ({"hook": False}, "stay out of their bridges", "EXTERNAL_SCRIPT"),
    "the record lacks it": (
        {"keeps": frozenset({("bridge", "vn-old", "-")})}, "does not name vn-a", "Repair the server"
    ),
    "its files put the adapter elsewhere": (
        {"ports": {"eth0": "br0"}}, "eth0 of physical server server1 would be in br0", "Take eth0 out of br0"
    ),
    "DHCP": ({"dhcp": frozenset({"eth0"})}, "gets its address by DHCP at boot", "static address"),
    "containers that do not start": (
        {"off": frozenset({"102", "103", "777"})},
        "Container 102 and Container 103 of Virtual Network A", "ONBOOT",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_warns_that(name: str) -> None:
    fields, text, hint = CASES[name]
    (problem,) = risks(booting(**fields))
    assert (problem.code, problem.severity) == ("reboot-risk", "warn")
    assert text in problem.text and hint in problem.hint
    assert {ServerRef(1), NetworkRef(A)} <= set(problem.subjects)


@pytest.mark.parametrize(
    "fields",
    [
        {"replay": ""},
        {"keeps": frozenset(), "replay": "missing"},
        {"ports": {"eth1": "br0"}},
        {"off": frozenset({"777"})},
    ],
)
def test_it_says_nothing_of_what_is_unknown_or_not_the_panels(fields: dict[str, object]) -> None:
    assert risks(booting(**fields)) == []


def test_its_own_files_may_well_make_the_bridge_that_was_adopted() -> None:
    adopted = replace(DESIRED, assignments=tuple(
        replace(a, bridge="br0") if (a.network, a.server) == (A, 1) else a for a in DESIRED.assignments
    ))  # fmt: skip
    keeps = frozenset({("adopted", "br0", "eth0")})
    found = booting(ports={"eth0": "br0"}, keeps=keeps, dhcp=frozenset({"eth0"}))
    assert boot_brings_back_what_runs(adopted, adopted, found) == []


def test_a_draft_that_changes_the_assignment_is_not_warned_of_the_old_one() -> None:
    after = replace(DESIRED, assignments=tuple(
        replace(a, adapter=None) if (a.network, a.server) == (A, 1) else a for a in DESIRED.assignments
    ))  # fmt: skip
    assert risks(booting(ports={"eth0": "br0"}), after) == []


def test_it_stood_before_an_unrelated_draft_and_need_not_be_ticked() -> None:
    problems = review(DESIRED, [Assign(C, 2, None)], booting(replay="missing"))
    found = [problem for problem in problems if problem.code == "reboot-risk"]
    assert found and all(problem.existing for problem in found)


LINES = ("txid 1", "keep bridge vn-a eth0", "save 4 102 eth0 veth102.0 vn-a", "end")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (ServerFacts(), BootView()),
        (
            ServerFacts(vzctl_dialect="4", boot=Boot("enabled", (("eth1", "br0"),), ("eth2",))),
            BootView("enabled", frozenset(), {"eth1": "br0"}, frozenset({"eth2"}), hook=False),
        ),
        (
            ServerFacts(
                vzctl_dialect="4",
                capabilities=frozenset({"vznet_hook"}),
                transaction=Transaction("1", "", LINES),
                containers=LOOKS[1].containers,
            ),
            BootView(keeps=frozenset({("bridge", "vn-a", "eth0")})),
        ),
    ],
)
def test_a_look_tells_it(facts: ServerFacts, expected: BootView) -> None:
    assert boot_view(boot_summary(facts)) == expected
    assert boot_view({}) is None


def test_containers_that_run_and_do_not_start_at_boot_are_named() -> None:
    off: Callable[[ServerFacts], ServerFacts] = lambda facts: replace(  # noqa: E731
        facts, containers=tuple(replace(c, onboot=False) for c in facts.containers)
    )
    view = boot_view(boot_summary(off(LOOKS[1])))
    assert view is not None and {"102", "103"} <= view.off
