"""The same work for many servers at a time, on threads that keep their database connection to the end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from django.db import connections

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], width: int, name: str) -> list[Result]:
    """What the work returns for each item, in their order; at most `width` are worked on at a time.

    The first exception is raised when all have ended.
    """
    with Crew(width, name) as crew:
        return crew.each(work, items)


class Crew:
    """At most `width` threads that stay until the block ends.

    Opening a database connection costs more than a step needs of it, so a thread has one for all its work.
    """

    def __init__(self, width: int, name: str) -> None:
        self._width, self._name = width, name
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """What the work returns for each item, in their order; an exception is raised when all have ended."""
        while len(self._threads) < min(self._width, len(items)):
            thread = threading.Thread(
                target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        results: list[Future[Result]] = [Future() for _ in items]
        for item, result in zip(items, results, strict=True):
            self._jobs.put(lambda item=item, result=result: _do(work, item, result))  # type: ignore[misc]
        for one in results:
            one.exception()
        return [one.result() for one in results]

    def _work(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                job()
                _leave_broken_connections()
        finally:
            connections.close_all()


def _do(work: Callable[[Any], Result], item: Any, result: Future[Result]) -> None:
    try:
        result.set_result(work(item))
    except BaseException as error:
        result.set_exception(error)


def _leave_broken_connections() -> None:
    """After an error of the database the next work opens a connection anew, and asks first if it is there."""
    for one in connections.all(initialized_only=True):
        one.health_check_done = False  # type: ignore[attr-defined]
        if one.errors_occurred:
            one.close()
