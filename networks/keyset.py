"""Lists paged by what they are sorted by: a far page costs what the first one costs.

A list is one part or several, one after the other; a part is asked only when a page reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from django.db.models import Exists, OuterRef, Q

Position: TypeAlias = tuple[str, ...]
"""Of one row: the name of its part, then what that part is sorted by. () is of no row."""


@dataclass(frozen=True, slots=True)
class Place:
    """A page begins after that position, or ends before it; with none, at the list's beginning or end."""

    position: Position = ()
    backwards: bool = False


BEGINNING, END = Place(), Place(backwards=True)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a list, sorted by columns of text that are never null and that no two rows have all alike.

    A "-" before a column sorts it the other way round. `owners`: all that the first column may be of. With
    them a page reads rows of few owners only; SQLite, which keeps no statistics, would not see that it can.
    """

    name: str
    rows: Any
    columns: tuple[str, ...]
    owners: Any = None

    def sorted(self) -> Any:
        return self.rows.order_by(*self.columns)

    def nearest(self, position: Position, backwards: bool, most: int) -> Any:
        """The first rows, or those after the position; backwards the last ones, or those before it."""
        order = [_turned(column) if backwards else column for column in self.columns]
        rows = self.rows.filter(_after(order, position[1:])) if position else self.rows
        if self.owners is not None:
            rows = self._of_few_owners(rows, order[0], position, most)
        else:
            # Keys first: else all that is shown of a row is sorted for every row there is.
            rows = self.rows.filter(pk__in=rows.order_by(*order).values("pk")[:most])
        return rows.order_by(*order)[:most]

    def _of_few_owners(self, rows: Any, first: str, position: Position, most: int) -> Any:
        path, _, column = first.removeprefix("-").rpartition("__")
        order = f"-{column}" if first.startswith("-") else column
        owners = self.owners.filter(_not_before(order, position[1])) if position else self.owners
        # Each has a row that is wanted, so no page needs more of them than it has rows.
        owners = owners.filter(Exists(rows.order_by().filter(**{path: OuterRef("pk")})))
        return rows.filter(**{f"{path}__in": owners.order_by(order).values("pk")[:most]})

    def position(self, row: Any) -> Position:
        values = (attrgetter(c.removeprefix("-").replace("__", "."))(row) for c in self.columns)
        return (self.name, *values)


def _turned(column: str) -> str:
    return column.removeprefix("-") if column.startswith("-") else f"-{column}"


def _after(order: Sequence[str], values: Sequence[str]) -> Q:
    """Rows beyond those values in that order: a > 1, or a = 1 and (b > 2, or b = 2 and …)."""
    beyond = Q(pk__in=[])
    for column, value in reversed(list(zip(order, values, strict=True))):
        name, way = column.removeprefix("-"), "lt" if column.startswith("-") else "gt"
        beyond = Q(**{f"{name}__{way}": value}) | Q(**{name: value}) & beyond
    # Follows from the rest, but databases see by it where an index can begin.
    return _not_before(order[0], values[0]) & beyond


def _not_before(column: str, value: str) -> Q:
    return Q(**{f"{column.removeprefix('-')}__{'lte' if column.startswith('-') else 'gte'}": value})


def is_position(parts: Sequence[Part], position: Position) -> bool:
    """Whether it may be a row's; addresses are anybody's to write."""
    lengths = {part.name: 1 + len(part.columns) for part in parts}
    return lengths.get(position[0]) == len(position) and "\0" not in "".join(position)


def read(parts: Sequence[Part], place: Place, most: int) -> Iterator[tuple[Position, Any]]:
    """The rows nearest to that place, with their positions; one query for each part that has any of them."""
    position = place.position
    for part in reversed(parts) if place.backwards else parts:
        if position and position[0] != part.name:
            continue
        for row in part.nearest(position, place.backwards, most):
            yield part.position(row), row
            most -= 1
        position = ()
        if not most:
            return


class Placed(Protocol):
    """What a list shows of a row: it knows where it is."""

    @property
    def position(self) -> Position: ...


Shown = TypeVar("Shown", bound=Placed)


@dataclass(frozen=True, slots=True)
class KeyPage(Generic[Shown]):
    """One page, and the places of the pages beside it, None where there is none."""

    rows: list[Shown]
    before: Place | None
    after: Place | None


def page(nearest: Callable[[Place], list[Shown]], place: Place, size: int) -> KeyPage[Shown]:
    """The page at that place. `nearest` gives what is shown of more rows than `size`, nearest first."""
    found = nearest(place)
    if place.backwards and len(found) <= size:
        return page(nearest, BEGINNING, size)
    if place.position and not found:
        return page(nearest, END, size)
    rows = found[:size][:: -1 if place.backwards else 1]
    has_before = place.backwards or bool(place.position)
    has_after = bool(place.position) if place.backwards else len(found) > size
    return KeyPage(
        rows,
        Place(rows[0].position, backwards=True) if has_before else None,
        Place(rows[-1].position) if has_after else None,
    )
