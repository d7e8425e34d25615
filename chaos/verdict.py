"""How runs ended, in words."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

SECOND = "a second panel"
KINDS = ("stranded", "divergent", "lost", "leaked")
"""A server that cannot be reached; a server, its record, vzctl and the panel that disagree; a change, or one
server of it, that comes to no end; a lock or transaction that is still held."""


@dataclass
class Verdict:
    """What was wrong after a run, by kind; all empty: it is ok."""

    stranded: list[str] = field(default_factory=list)
    divergent: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        return not any(getattr(self, kind) for kind in KINDS)


@dataclass
class Run:
    """What happened in one run."""

    number: int
    lane: int = 0
    asked: str = ""
    servers: list[str] = field(default_factory=list)
    strikes: list[str] = field(default_factory=list)
    ended: str = ""
    seconds: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    """Seconds by part of the run."""
    verdict: Verdict = field(default_factory=Verdict)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Count what is done inside as time of that part."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.spent[part] = self.spent.get(part, 0.0) + time.monotonic() - began

    def lines(self) -> list[str]:
        """One line about the run, and one for each thing that was wrong."""
        said = "ok" if self.verdict.is_ok else "NOT OK"
        story = "; ".join([self.asked, *self.strikes, self.ended.strip()])
        wrong = [f"  {kind}: {what}" for kind in KINDS for what in getattr(self.verdict, kind)]
        return [f"{self.number}: {said} {self.seconds:.1f} s: {story}", *wrong]


def times(runs: Sequence[Run]) -> str:
    """How long runs took, as a line."""
    seconds = [run.seconds for run in runs]
    parts = {part: statistics.median(run.spent.get(part, 0.0) for run in runs) for part in runs[0].spent}
    said = ", ".join(f"{part} {median:.1f} s" for part, median in parts.items())
    return (
        f"chaos: a run took {statistics.median(seconds):.1f} s in the median, {max(seconds):.0f} s at most; "
        f"of its parts in the median {said}"
    )


def taken_part(runs: Sequence[Run], second: str) -> str:
    """How often each kind of fault was drawn and the second panel took part, as a line."""
    counts: dict[str, int] = {}
    for run in runs:
        for strike in run.strikes:
            kind = strike if strike == second else strike.rsplit(" at ", 1)[0]
            kind = re.sub(
                r" server[0-9]+$| [0-9.]+ s\b| [-+][0-9]+ days| [0-9]+(?= (stopped|restarted))", "", kind
            )
            counts[kind] = counts.get(kind, 0) + 1
    return "chaos: drawn were " + ", ".join(f"{kind} {n}" for kind, n in sorted(counts.items()))


def last_line(runs: Sequence[Run]) -> tuple[str, int]:
    """The line that `make chaos` ends with, and its exit code: 0 only when there were runs and all are ok."""
    ok = sum(run.verdict.is_ok for run in runs)
    counts = {kind: sum(bool(getattr(run.verdict, kind)) for run in runs) for kind in KINDS}
    line = f"chaos: {len(runs)} runs, {ok} ok, " + ", ".join(f"{n} {kind}" for kind, n in counts.items())
    return line, 0 if runs and ok == len(runs) and not any(counts.values()) else 1
