"""How runs ended, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    asked: str = ""
    servers: list[str] = field(default_factory=list)
    strikes: list[str] = field(default_factory=list)
    ended: str = ""
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    def lines(self) -> list[str]:
        """One line about the run, and one for each thing that was wrong."""
        said = "ok" if self.verdict.is_ok else "NOT OK"
        story = "; ".join([self.asked, *self.strikes, self.ended])
        wrong = [f"  {kind}: {what}" for kind in KINDS for what in getattr(self.verdict, kind)]
        return [f"{self.number}: {said} {self.seconds:.1f} s: {story}", *wrong]


def last_line(runs: Sequence[Run]) -> tuple[str, int]:
    """The line that `make chaos` ends with, and its exit code: 0 only when there were runs and all are ok."""
    ok = sum(run.verdict.is_ok for run in runs)
    counts = {kind: sum(bool(getattr(run.verdict, kind)) for run in runs) for kind in KINDS}
    line = f"chaos: {len(runs)} runs, {ok} ok, " + ", ".join(f"{n} {kind}" for kind, n in counts.items())
    return line, 0 if runs and ok == len(runs) and not any(counts.values()) else 1
