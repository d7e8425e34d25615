"""How a line of the audit trail is bound to the one before it. Pure: values in, a digest out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

FIRST = "0" * 64
"""What the first line is bound to."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a digest covers: every column but the digest itself."""

    number: int
    at: datetime
    actor: str
    actor_key: int | None
    address: str
    action: str
    text: str
    servers: str
    plan: str
    result: str
    previous: str


def digest(line: Line) -> str:
    """SHA-256 in hex over the line as one unambiguous text."""
    values = [
        line.number,
        line.at.astimezone(UTC).isoformat(timespec="microseconds"),
        line.actor,
        line.actor_key,
        line.address,
        line.action,
        line.text,
        line.servers,
        line.plan,
        line.result,
        line.previous,
    ]
    return hashlib.sha256(json.dumps(values, separators=(",", ":")).encode()).hexdigest()


def faults(lines: Iterable[tuple[Line, str]]) -> Iterator[str]:
    """Sentences about what is wrong with lines and their stored digests, in the order of their numbers."""
    number, previous = 0, FIRST
    for line, stored in lines:
        number += 1
        if line.number != number:
            missing = str(number) if line.number == number + 1 else f"{number} to {line.number - 1}"
            yield f"Missing before line {line.number}: {missing}."
            number = line.number
        elif line.previous != previous:
            yield f"Line {line.number} does not follow on line {line.number - 1} as that is now."
        if digest(line) != stored:
            yield f"Line {line.number} was changed after it was written."
        previous = stored
