"""A matrix of who sees whom, as pages show it: rows and columns are groups that see the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from networks.domain import words
from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.visibility import Answer, EndPoint, Group, HostKey, OtherHosts, Visibility
from networks.points import point_text

MOST_GROUPS = 24
"""A matrix has so many rows at most: a larger one is not read but searched."""
MOST_MEMBERS = 12
MOST_COMPARED = 40


@dataclass(frozen=True, slots=True)
class Line:
    """A row and a column: a group of hosts."""

    name: str
    short: str
    count: int
    members: tuple[str, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """What the row's group sees of the column's. `origin` and `target` are "" where one may not be asked."""

    ip: Answer
    layer2: Answer
    origin: str
    target: str
    says: str
    measured: str = ""
    """"agrees", "differs" or "" where nothing was measured."""

    @property
    def css(self) -> str:
        """The mark: reached, on one layer-2 network only, apart, or not known."""
        if self.ip == "yes":
            return "yes"
        if self.ip == "unknown":
            return "unknown"
        return "frames" if self.layer2 == "yes" else "no"


@dataclass(frozen=True, slots=True)
class Matrix:
    """`left_out` groups did not fit."""

    lines: tuple[Line, ...] = ()
    rows: tuple[tuple[Line, tuple[Cell | None, ...]], ...] = ()
    left_out: int = 0
    marks: frozenset[str] = field(default_factory=frozenset)


Measured = Mapping[tuple[str, str, str], str]
"""What was measured last of (origin, target, layer), as `networks/services/measure.py` gives it."""


def matrix(sight: Visibility, keys: Iterable[HostKey], measured: Measured | None = None) -> Matrix:
    """The matrix of those hosts, collapsed to groups, with what was measured laid over the prediction."""
    hidden = sight.names.scene.inventory.hidden
    # What the reader may see speaks for its group: questions about the rest are not hers to ask.
    groups = sight.groups(sorted(keys, key=lambda key: _server(key) in hidden))
    shown = groups[:MOST_GROUPS]
    lines = tuple(_line(sight, group) for group in shown)
    rows = []
    for line, group in zip(lines, shown, strict=True):
        cells = (_cell(sight, group, other, line, lines[i], measured or {}) for i, other in enumerate(shown))
        rows.append((line, tuple(cells)))
    marks = frozenset(
        mark for _, cells in rows for cell in cells if cell for mark in (cell.css, cell.measured)
    )
    return Matrix(lines, tuple(rows), len(groups) - len(shown), marks)


def _line(sight: Visibility, group: Group) -> Line:
    names = tuple(sight.name(member) for member in group.members[:MOST_MEMBERS])
    return Line(
        group.name if len(group.members) > 1 else words.sentence(sight.name(group.first, short=True)),
        _short(group, sight),
        len(group.members),
        names if len(group.members) > 1 else (),
        max(0, len(group.members) - MOST_MEMBERS),
    )


def _short(group: Group, sight: Visibility) -> str:
    """A heading that fits over a narrow column."""
    first = group.first
    hidden = sight.names.scene.inventory.hidden
    if isinstance(first, OtherHosts):
        return "other hosts"
    if isinstance(first, ServerRef):
        name = sight.name(first).removeprefix("physical server ")
        return name if len(group.members) == 1 else f"{name} +{len(group.members) - 1}"
    ctids = [m.ctid for m in group.members if isinstance(m, ContainerKey) and m.server not in hidden]
    if not ctids:
        return "not visible"
    return " ".join(ctids[:3]) + (f" +{len(group.members) - 3}" if len(group.members) > 3 else "")


def _cell(sight: Visibility, a: Group, b: Group, line: Line, other: Line, measured: Measured) -> Cell | None:
    first: EndPoint = a.members[0]
    second: EndPoint = b.members[0]
    if a is b:
        if len(a.members) < 2:
            return None
        second = a.members[1]
    ip, layer2 = sight.answer(first, second), sight.layer2_answer(first, second)
    says = {
        "yes": "reaches",
        "unknown": "it is not known whether it reaches",
        "no": "does not reach",
    }[ip]
    text = f"{line.name}: {says} {'each other' if a is b else other.name}"
    hidden = sight.names.scene.inventory.hidden
    if _server(first) in hidden or _server(second) in hidden:
        return Cell(ip, layer2, "", "", text)
    seen = _compared(sight, a, b, measured)
    text += {"agrees": ", as measured", "differs": ", but measured otherwise"}.get(seen, "")
    return Cell(ip, layer2, point_text(first), point_text(second), text, seen)


def _compared(sight: Visibility, a: Group, b: Group, measured: Measured) -> str:
    """Whether what was measured between members of the two groups is as predicted of them."""
    if not measured:
        return ""
    found = False
    layers = {"ip": sight.answer, "layer2": sight.layer2_answer}
    for one, other in product(a.members[:MOST_COMPARED], b.members[:MOST_COMPARED]):
        for layer, ask in layers.items():
            seen = measured.get((point_text(one), point_text(other), layer))
            if seen is not None and (answer := ask(one, other)) != "unknown":
                found = True
                if seen != answer:
                    return "differs"
    return "agrees" if found else ""


def _server(key: EndPoint) -> int:
    """The server that the end point is on, 0 for other hosts."""
    return key.id if isinstance(key, ServerRef) else 0 if isinstance(key, OtherHosts) else key.server
