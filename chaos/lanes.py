"""Runs side by side: each has its servers for itself, and those that share one keep their order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor


class Lanes:
    """Hands out lanes (0, 1, …), and with each the things that nobody else may have meanwhile."""

    def __init__(self, count: int) -> None:
        self._free = list(range(count))
        self._taken: set[str] = set()
        self._changed = threading.Condition()

    def take(self, things: Collection[str]) -> int:
        """Wait for a lane and for all of these things."""
        with self._changed:
            self._changed.wait_for(lambda: self._free and self._taken.isdisjoint(things))
            self._taken |= set(things)
            return self._free.pop()

    def give_back(self, lane: int, things: Collection[str]) -> None:
        """Let others have the lane and the things."""
        with self._changed:
            self._free.append(lane)
            self._taken -= set(things)
            self._changed.notify_all()


def side_by_side(
    numbers: Iterable[int],
    needs: Callable[[int], Collection[str]],
    work: Callable[[int, int], object],
    lanes: int,
    seconds: float = 0,
) -> None:
    """Call `work(number, lane)` for each number, so many at a time; begin none after `seconds` (0: never)."""
    claims, began = Lanes(lanes), time.monotonic()

    def one(number: int, lane: int, things: Collection[str]) -> None:
        try:
            work(number, lane)
        finally:
            claims.give_back(lane, things)

    with ThreadPoolExecutor(lanes) as pool:
        for number in numbers:
            things = needs(number)
            lane = claims.take(things)
            if seconds and time.monotonic() - began > seconds:
                claims.give_back(lane, things)
                break
            pool.submit(one, number, lane, things)
