"""Run this machine's own tools (ip, nft, mkfs, ...) and turn a failure into one sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from lab.errors import LabError


@dataclass(frozen=True)
class Completed:
    """What a command answered: exit code and both outputs as text (undecodable bytes replaced)."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """True for exit code 0."""
        return self.exit_code == 0


def run(argv: Sequence[str], stdin: str = "", timeout_s: float = 60) -> str:
    """Run ``argv``, return its standard output; raise LabError with its standard error if it fails."""
    done = attempt(argv, stdin, timeout_s)
    if not done.ok:
        said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.exit_code}"
        raise LabError(f"`{' '.join(argv)}` failed: {said}")
    return done.stdout


def attempt(argv: Sequence[str], stdin: str = "", timeout_s: float = 60) -> Completed:
    """Run ``argv`` and return what it answered, whatever its exit code."""
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout_s
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Completed(127, "", str(error))
    return Completed(done.returncode, done.stdout, done.stderr)
