"""Looks and Changes at servers that take half a second longer for each command, which must wait together."""

from __future__ import annotations

from bench.report import alone, exponent, median
from bench.scenario import Bench

ABOUT = "at servers that take 0.5 s"
BAR = 0.15


def slow_servers(bench: Bench, small: int, large: int, *, changes: bool) -> None:
    """How wall time grows from the smaller number to the larger one; of Changes too where that is wanted."""
    sizes = small, large
    if small == large:
        return
    bench.say(f"{small} and {large} servers that take half a second")
    bench.farm.slow(True)
    looks = [bench.ours(size, lambda size=size: bench.panel.look(size)).wall_s for size in sizes]
    bench.rows.append(
        alone(
            f"look {ABOUT}: growth from N={small} to {large}",
            exponent(sizes, (looks[0], looks[1])),
            "exponent",
            BAR,
        )
    )
    if changes:
        _changes(bench, sizes)
    bench.farm.slow(False)


def _changes(bench: Bench, sizes: tuple[int, int]) -> None:
    walls = []
    for size in sizes:
        runs = [bench.change(size, "eth1") for _ in range(bench.runs)]
        walls.append(median([run.applied for run in runs], size).wall_s)
        seen = median([run.review for run in runs], size).wall_s
        about = f"Change {ABOUT}, N={size}"
        bench.rows += [
            alone(f"{about}: review, wall", seen, "s"),
            alone(f"{about}: applying, wall", walls[-1], "s"),
            alone(f"{about}: waves", runs[0].waves, ""),
        ]
    name = f"Change {ABOUT}: growth from N={sizes[0]} to {sizes[1]}"
    bench.rows.append(alone(name, exponent(sizes, (walls[0], walls[1])), "exponent", BAR))
