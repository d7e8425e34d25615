"""Who gains and who loses sight of whom, as sentences of a review."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from networks.domain import words
from networks.domain.state import grouped
from networks.domain.visibility import Difference, Sight

MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class SightLines:
    """Sentences, the certain ones first. `left_out`: groups of hosts that were not compared."""

    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    left_out: int = 0

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost or self.unclear or self.left_out)


def sight_lines(difference: Difference) -> SightLines:
    """A sentence for each group of hosts that sees more, less, or something else that is not certain."""
    return SightLines(
        tuple(_lines(difference.gained, "come to see", "comes to see")),
        tuple(_lines(difference.lost, "no longer see", "no longer sees")),
        (
            *_lines(
                [s for s in difference.unclear if s.after == "unknown"],
                "may or may not see",
                "may or may not see",
            ),
            *_lines([s for s in difference.unclear if s.after == "yes"], "certainly see", "certainly sees"),
            *_lines(
                [s for s in difference.unclear if s.after == "no"],
                "certainly do not see",
                "certainly does not see",
            ),
        ),
        difference.left_out,
    )


def _lines(sights: Iterable[Sight], many: str, one: str) -> Iterable[str]:
    for (first, both), found in grouped(sights, lambda s: (s.first, s.both_ways)).items():
        others = ["each other" if s.second == first else _inside(s.second.name) for s in found]
        verb = one if len(first.members) == 1 and not first.name.startswith("Other hosts") else many
        ways = "" if both else ", one way only"
        yield f"{first.name} {verb} {words.listed(others, MOST_NAMED)}{ways}."


def _inside(name: str) -> str:
    """A group's name within a sentence: "Container" keeps its capital, as everywhere."""
    return name[:1].lower() + name[1:] if name.startswith(("Physical ", "Other ")) else name
