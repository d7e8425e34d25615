"""One problem never blocks an unrelated edit."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings

from networks.domain.inventory import NetworkRef
from networks.domain.rules import problems_of, review
from networks.domain.state import (
    AddMember,
    Assign,
    Assignment,
    CreateNetwork,
    DescribeNetwork,
    Desired,
    Member,
    Network,
    RemoveMember,
    apply_edits,
)
from tests.domain import scheme, strategies
from tests.domain.scheme import DESIRED, A, B, C, interface, inventory

FOUND = inventory()
PARTITIONED = replace(
    DESIRED, assignments=tuple(a for a in DESIRED.assignments if (a.network, a.server) != (A, 2))
)


def refusals(before: Desired, *edits: object) -> list[str]:
    return [p.code for p in review(before, edits, FOUND) if p.severity == "refuse"]  # type: ignore[arg-type]


def test_an_old_problem_is_a_warning_for_an_unrelated_edit() -> None:
    (problem,) = review(PARTITIONED, (DescribeNetwork(C, "See"),), FOUND)
    assert (problem.code, problem.severity, problem.existing) == ("partitioned", "warn", True)


def test_a_problem_that_grows_is_refused() -> None:
    both = replace(PARTITIONED, assignments=tuple(a for a in PARTITIONED.assignments if a.network != A))
    half = apply_edits(both, (Assign(A, 2, "eth0"),))
    assert refusals(half, DescribeNetwork(C, "See")) == []
    assert refusals(half, Assign(A, 2, None)) == ["partitioned"]


def test_a_problem_that_shrinks_is_not_refused() -> None:
    three = Desired(
        networks=tuple(Network(id, id) for id in "xyz"),
        members=tuple(Member(id, interface(1, "102")) for id in "xyz"),
    )
    without_z = replace(three, members=three.members[:2])
    assert [p.code for p in problems_of(three, FOUND)][:1] == ["interface-taken"]
    assert refusals(three, RemoveMember(interface(1, "102")), AddMember("x", interface(1, "102")),
                    AddMember("y", interface(1, "102"))) == []  # fmt: skip
    assert refusals(without_z, AddMember("z", interface(1, "102"))) == ["interface-taken"]


def test_a_member_that_has_gone_does_not_block_others() -> None:
    state = apply_edits(DESIRED, (AddMember(A, interface(1, "199")),))
    assert refusals(state, RemoveMember(interface(2, "204"))) == []
    assert refusals(state, AddMember(C, interface(1, "198"))) == ["partitioned", "interface-gone"][::-1]


def test_a_partition_that_was_found_is_a_warning() -> None:
    edits = (
        CreateNetwork("found", "Found"),
        *(RemoveMember(m.interface) for m in DESIRED.members_of(A)),
        AddMember("found", interface(1, "102")),
        AddMember("found", interface(2, "201")),
    )
    assert "partitioned" in [p.code for p in review(DESIRED, edits, FOUND) if p.severity == "refuse"]
    adopted = review(DESIRED, edits, FOUND, found=True)
    assert [(p.code, p.severity) for p in adopted if p.code == "partitioned"] == [("partitioned", "warn")]


def test_an_old_ring_stays_old_whatever_else_changes() -> None:
    found = replace(
        FOUND,
        adapters=(
            *FOUND.adapters,
            *(replace(FOUND.adapters[0], server=server, name="eth1", bridge="") for server in (1, 2, 3)),
        ),
    )
    ringed = replace(DESIRED, assignments=(Assignment(B, 2, "eth1"), *DESIRED.assignments))
    edits = (Assign(C, 2, None), DescribeNetwork(A, "Aaa"), RemoveMember(interface(1, "103")))
    rings = [p for p in review(ringed, edits, found) if p.code == "ring"]
    assert [(p.severity, p.existing) for p in rings] == [("warn", True)]
    assert NetworkRef(B) in rings[0].subjects


@settings(max_examples=40, deadline=None)
@given(strategies.seeds)
def test_no_edit_at_all_is_never_refused(rng: Random) -> None:
    """Whatever state and inventory: leaving them alone is allowed."""
    state = apply_edits(DESIRED, strategies.any_edits(rng)).without_errands()
    problems = review(state, (), scheme.inventory())
    assert all(p.severity == "warn" and p.existing for p in problems)
    assert len(problems) == len(problems_of(state, scheme.inventory()))


@settings(max_examples=40, deadline=None)
@given(strategies.seeds)
def test_an_unrelated_rename_is_never_refused(rng: Random) -> None:
    edits = (*strategies.any_edits(rng), CreateNetwork("apart", "Apart"))
    state = apply_edits(DESIRED, edits).without_errands()
    edits = (DescribeNetwork("apart", "Far apart", "from everything"),)
    assert not [p for p in review(state, edits, scheme.inventory()) if p.severity == "refuse"]


@settings(max_examples=40, deadline=None)
@given(strategies.seeds)
def test_every_problem_says_something_about_something(rng: Random) -> None:
    for problem in review(DESIRED, strategies.any_edits(rng), scheme.inventory()):
        assert problem.text.endswith((".", "!")) and problem.text[0] != " "
        assert problem.subjects
        assert "None" not in problem.text
