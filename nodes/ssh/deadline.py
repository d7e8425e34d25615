"""One clock for a whole operation, however many steps share it."""

from __future__ import annotations

import time


class Deadline:
    """A moment on the monotonic clock; every step may take what is left, never a full share again."""

    __slots__ = ("at",)

    def __init__(self, seconds: float) -> None:
        """Start the clock: the deadline is `seconds` from now."""
        self.at = time.monotonic() + seconds

    def left(self, at_most: float = float("inf")) -> float:
        """Seconds left, never below zero, and no more than one step's own limit `at_most`."""
        return max(0.0, min(self.at - time.monotonic(), at_most))

    def step(self, seconds: float) -> Deadline:
        """A deadline for one step: `seconds` from now, but never later than this one."""
        return Deadline(self.left(seconds))

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at

    def __repr__(self) -> str:
        return f"Deadline({self.left():.1f} s left)"
