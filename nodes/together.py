"""Threads that each wait for the disk: one of them writes for all that have come meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass
class _Entry(Generic[Item]):
    item: Item
    is_over: bool = False
    error: BaseException | None = None


class Together(Generic[Item]):
    """What threads write at the same time is stored as one list: a transaction costs what one row costs.

    A thread goes on when what it wrote is stored, as if it had stored it alone.
    """

    def __init__(self, gather: Callable[[], None] | None = None) -> None:
        """`gather` returns when it is not worth waiting for more."""
        self._gather = gather
        self._guard = threading.Lock()
        self._storing = threading.Lock()
        self._waiting: list[_Entry[Item]] = []

    def write(self, item: Item, store: Callable[[list[Item]], None]) -> None:
        """Return when the item is stored; raises what storing it raised, and never for another's sake.

        `store` keeps all of a list or, on an error, nothing; every thread gives the same.
        """
        entry = _Entry(item)
        with self._guard:
            self._waiting.append(entry)
        with self._storing:
            if not entry.is_over:
                if self._gather:
                    self._gather()
                with self._guard:
                    entries, self._waiting = self._waiting, []
                _store_all(entries, store)
        if entry.error is not None:
            raise entry.error


def _store_all(entries: list[_Entry[Item]], store: Callable[[list[Item]], None]) -> None:
    try:
        store([entry.item for entry in entries])
    except BaseException as error:
        if len(entries) > 1:
            # One of them may be at fault: each has its own chance, and its own error.
            for entry in entries:
                _store_all([entry], store)
        else:
            entries[0].error = error
    for entry in entries:
        entry.is_over = True
