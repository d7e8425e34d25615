"""What `make chaos` says at its end, and that a seed draws the same runs again."""

from __future__ import annotations

import random

import pytest

from chaos import edits
from chaos.verdict import Run, Verdict, last_line
from networks.domain.state import Desired, apply_edits

SERVERS = {"server1": 1, "server2": 2, "server3": 3}


def test_all_ok_ends_with_the_line_and_0() -> None:
    line = "chaos: 2 runs, 2 ok, 0 stranded, 0 divergent, 0 lost, 0 leaked"
    assert last_line([Run(1), Run(2)]) == (line, 0)


@pytest.mark.parametrize("kind", ["stranded", "divergent", "lost", "leaked"])
def test_anything_wrong_is_counted_by_run_and_1(kind: str) -> None:
    bad = Run(2, verdict=Verdict(**{kind: ["one thing", "another"]}))
    line, code = last_line([Run(1), bad])
    assert code == 1 and line.startswith("chaos: 2 runs, 1 ok, ") and f"1 {kind}" in line
    assert bad.lines()[1:] == [f"  {kind}: one thing", f"  {kind}: another"]


def test_no_run_is_no_success() -> None:
    assert last_line([]) == ("chaos: 0 runs, 0 ok, 0 stranded, 0 divergent, 0 lost, 0 leaked", 1)


def test_a_seed_draws_the_same_walk_again() -> None:
    def walk(seed: int) -> list[Desired]:
        state, states = apply_edits(Desired(), edits.first(SERVERS)), []
        for number in range(30):
            dice = random.Random(f"{seed}-{number}")  # noqa: S311
            names = edits.draw_servers(dice, SERVERS)
            wanted = edits.draw(dice, state, SERVERS, names)
            assert wanted and names
            after = apply_edits(state, wanted)
            assert after != state
            states.append(state := after)
        return states

    assert walk(7) == walk(7)
    assert walk(7) != walk(8)
