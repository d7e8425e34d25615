"""What a rule says: one problem, in the user's words, with what is in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from networks.domain.inventory import Inventory, Subject
from networks.domain.state import Desired, ServerId

Severity = Literal["refuse", "warn"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a state.

    `code` is stable, `text` and `hint` (what mends it) are for people; `subjects` are what is in the way, as
    links for pages. `existing`: it was there before the draft, which did not touch it, so nobody has to
    tick it again. `also` are servers that the text may name beside those of the subjects. `detail` tells
    apart problems of one code about the same subjects, such as two addresses of the same two containers.
    """

    code: str
    severity: Severity
    text: str
    subjects: tuple[Subject, ...] = ()
    hint: str = ""
    existing: bool = False
    also: frozenset[ServerId] = frozenset()
    detail: str = ""


Rule = Callable[[Desired, Desired, Inventory], list[Problem]]
"""(before, after, inventory) to the problems of `after`. `before` only tells what is taken away."""
