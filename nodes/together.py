"""Threads that each wait for the disk: one of them writes for all that have come meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from nodes.crew import by_whoever_waits

Item = TypeVar("Item")


@dataclass(eq=False)
class _Entry(Generic[Item]):
    item: Item
    told: threading.Event = field(default_factory=threading.Event)
    """Set when its thread has something to do: to go on, as it is over, or to store what waits."""
    is_over: bool = False
    error: BaseException | None = None


class Together(Generic[Item]):
    """What threads write at the same time is stored as one list: a transaction costs what one row costs.

    A thread goes on when what it wrote is stored, as if it had stored it alone. For threads of a crew it is
    whoever waits for them that stores.
    """

    def __init__(self, gather_s: float = 0.0) -> None:
        """`gather_s`: seconds that a write may wait for those of threads that are at work."""
        self.gather_s = gather_s
        self._guard = threading.Condition()
        self._waiting: list[_Entry[Item]] = []
        self._is_storing = False
        self._at_work = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """This thread will write something before long: who writes meanwhile may wait for it."""
        with self._guard:
            self._at_work += 1
        try:
            yield
        finally:
            with self._guard:
                self._at_work -= 1
                self._stop_gathering()

    def write(self, item: Item, store: Callable[[list[Item]], None]) -> None:
        """Return when the item is stored; raises what storing it raised, and never for another's sake.

        `store` keeps all of a list or, on an error, nothing; every thread gives the same.
        """
        entry = _Entry(item)
        with self._guard:
            self._waiting.append(entry)
            self._stop_gathering()
            if not self._is_storing:
                self._is_storing = True
                entry.told.set()
        try:
            entry.told.wait()
            if not entry.is_over:
                self._store(store)
        finally:
            self._leave(entry)
        if entry.error is not None:
            raise entry.error

    def _store(self, store: Callable[[list[Item]], None]) -> None:
        """Store all that waits, this thread's entry among it, and let the next one begin."""
        with self._guard:
            self._guard.wait_for(self._have_all_come, self.gather_s)
            entries, self._waiting = self._waiting, []
        try:
            by_whoever_waits(lambda: _store_all(entries, store))
        except BaseException as error:  # interrupted between two of them: the rest must not pass for stored
            for one in entries:
                if not one.is_over:
                    one.error, one.is_over = error, True
            raise
        finally:
            with self._guard:
                self._hand_on()
            for one in entries:
                one.told.set()

    def _leave(self, mine: _Entry[Item]) -> None:
        """Interrupted before it was stored, the entry is nobody's, and somebody else has its turn."""
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                if mine.told.is_set():
                    self._hand_on()

    def _hand_on(self) -> None:
        if self._waiting:
            self._waiting[0].told.set()
        else:
            self._is_storing = False

    def _have_all_come(self) -> bool:
        return len(self._waiting) >= self._at_work

    def _stop_gathering(self) -> None:
        # Not at each entry: whoever gathers would be woken to find that there are more to come.
        if self._have_all_come():
            self._guard.notify()


def _store_all(entries: list[_Entry[Item]], store: Callable[[list[Item]], None]) -> None:
    try:
        store([entry.item for entry in entries])
    except BaseException as error:
        if len(entries) > 1:
            # One of them may be at fault: each has its own chance, and its own error.
            for entry in entries:
                _store_all([entry], store)
            if not isinstance(error, Exception):
                raise
            return
        entries[0].error = error
    for entry in entries:
        entry.is_over = True
