"""`make scheme`: builds the manual's networks A to E on the lab, measures, and compares with the manual.

Every pair of the eleven containers, the three servers and the other host, on layer 2 by arping and at IP
level by ping, is compared with proof/scheme.toml: there each cell quotes the manual or says how it follows.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lab.lab import Lab
from proof.cells import LAYERS, Cell, Layer, read_cells
from proof.measuring import measure, name_of
from proof.panel import apply, panel_on, say

if TYPE_CHECKING:
    from networks.domain.state import Edit
    from networks.measure.plan import MeasuredCell

MARKS = {("yes", "yes"): "#", ("no", "yes"): "+", ("yes", "no"): "-", ("no", "no"): "."}
"""(layer 2, IP): one network; by routing only; frames but no ping; apart. "?" is not known."""


def main() -> int:
    """Build, measure, print, compare; 0 if every cell is as the manual says."""
    lab = Lab(report=say)
    with lab.use(alone=True, wait=True):
        try:
            lab.up()
            lab.renew()
            with panel_on(lab):
                say("Building networks A to E.")
                change = apply(scheme_edits())
                say("The panel measures after the change.")
                _, cells = measure(lab, change)
        finally:
            lab.down(force=True)
    return report(cells)


def scheme_edits() -> list[Edit]:
    """The clicks that build A to E on the lab's servers."""
    from networks.domain.state import AddMember, Assign, CreateNetwork, CreateVlan, InterfaceKey
    from nodes.models import PhysicalServer

    one, two, three = (PhysicalServer.objects.get(name=f"server{n}").pk for n in (1, 2, 3))
    ids = {name: str(uuid.uuid4()) for name in "ABCDE"}
    members = {
        "A": [(one, "102", "eth0"), (one, "103", "eth0"), (two, "201", "eth0")],
        "B": [(two, "201", "eth1"), (two, "202", "eth0")],
        "C": [(two, "203", "eth0"), (two, "204", "eth0")],
        "D": [(two, "205", "eth0"), (three, "301", "eth0")],
        "E": [(three, "302", "eth0"), (three, "303", "eth0")],
    }
    return [
        *(CreateNetwork(ids[name], name) for name in ids),
        *(AddMember(ids[name], InterfaceKey(*key)) for name, keys in members.items() for key in keys),
        CreateVlan(two, "eth0.100", "eth0", 100),
        CreateVlan(three, "eth0.100", "eth0", 100),
        Assign(ids["A"], one, "eth0"),
        Assign(ids["A"], two, "eth0"),
        Assign(ids["C"], two, None),
        Assign(ids["D"], two, "eth0.100"),
        Assign(ids["D"], three, "eth0.100"),
    ]


def report(measured: tuple[MeasuredCell, ...]) -> int:
    """Print the matrix and what differs from the manual; the exit code."""
    found = {(name_of(c.origin), name_of(c.target), c.layer): c.measured for c in measured}
    wanted = read_cells()
    print(matrix_text(found, sorted({cell.origin for cell in wanted.values()}, key=_order)))
    wrong = [
        (cell, found.get(key, "not measured"))
        for key, cell in wanted.items()
        if found.get(key) != cell.answer
    ]
    for cell, answer in wrong:
        print(_difference(cell, answer))
    print(f"scheme: {len(wanted) - len(wrong)} of {len(wanted)} cells as the manual says")
    return 1 if wrong else 0


def _order(name: str) -> tuple[int, str]:
    return (0 if name.isdecimal() else 2 if name == "other" else 1), name


def matrix_text(found: Mapping[tuple[str, str, Layer], str], names: list[str]) -> str:
    """Rows see columns: `#` on one layer-2 network and at IP level, `+` by routing only, `.` not at all."""
    lines = [" " * 8 + " ".join(f"{name[-3:]:>3}" for name in names)]
    for origin in names:
        row = []
        for target in names:
            frames, ip = (found.get((origin, target, layer), "unknown") for layer in LAYERS)
            row.append("\\" if origin == target else MARKS.get((frames, ip), "?"))
        lines.append(f"{origin:<8}" + " ".join(f"{mark:>3}" for mark in row))
    return "\n".join(
        [*lines, "# layer 2 and IP   + IP only (routed)   - layer 2 only   . neither   ? not known"]
    )


def _difference(cell: Cell, answer: str) -> str:
    why = f"the manual: “{cell.quote}”" if cell.quote else cell.derivation
    return f"{cell.origin} to {cell.target}, {cell.layer}: measured {answer}, should be {cell.answer}; {why}"
