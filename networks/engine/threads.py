"""The same work for many servers at a time, on threads that keep their database connection to the end."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], width: int, name: str) -> list[Result]:
    """What the work returns for each item, in their order; at most `width` are worked on at a time.

    The first exception is raised when all have ended. Opening a database connection costs more than a step
    needs of it, so a thread has one for all its items.
    """
    waiting: queue.SimpleQueue[tuple[int, Item]] = queue.SimpleQueue()
    for numbered in enumerate(items):
        waiting.put(numbered)
    results: dict[int, Result] = {}

    def run() -> None:
        try:
            while True:
                number, item = waiting.get_nowait()
                results[number] = work(item)
        except queue.Empty:
            return
        finally:
            connections.close_all()

    size = min(width, len(items))
    if not size:
        return []
    with ThreadPoolExecutor(size, thread_name_prefix=name) as threads:
        started = [threads.submit(run) for _ in range(size)]
    for one in started:
        one.result()
    return [results[number] for number in range(len(items))]
