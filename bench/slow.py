"""Looks and Changes at servers that take half a second longer for each command, which must wait together.

Their own work is done on this machine's processors and can exceed that half second; so looks are measured
once more with answers that were recorded. What is left then is the panel's, and sshd's.
"""

from __future__ import annotations

from bench.report import alone, exponent, median
from bench.scenario import WARM_LOOKS, Bench

ABOUT = "at servers that take 0.5 s"
BAR = 0.15


def slow_servers(bench: Bench, small: int, large: int, *, changes: bool) -> None:
    """How wall time grows from the smaller number to the larger one; of Changes too where that is wanted."""
    sizes = small, large
    if small == large:
        return
    bench.say(f"{small} and {large} servers that take half a second")
    try:
        bench.farm.answers("late")
        _looks(bench, sizes, ABOUT)
        if changes:
            _changes(bench, sizes)
        bench.panel.rest()  # its measuring is no look
        bench.farm.answers("late and recorded")
        _looks(bench, sizes, f"{ABOUT} and no processor time here")
    finally:
        bench.farm.answers("at once")


def _looks(bench: Bench, sizes: tuple[int, int], about: str) -> None:
    # Until looks that say the same are known by their words, on all of them.
    for _ in range(WARM_LOOKS):
        bench.panel.look(sizes[1])
    walls = [bench.ours(size, lambda size=size: bench.panel.look(size)).wall_s for size in sizes]
    small, large = sizes
    grown = exponent(sizes, (walls[0], walls[1]))
    bench.rows.append(alone(f"look {about}: growth from N={small} to {large}", grown, "exponent", BAR))


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
