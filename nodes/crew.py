"""The same work for many servers at a time, on threads; what they store, whoever waits for them stores."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from django.db import DatabaseError, connections

Item = TypeVar("Item")
Result = TypeVar("Result")

_here = threading.local()
"""`.crew`: whose thread this is."""


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], width: int, name: str) -> list[Result]:
    """What the work returns for each item, in their order; at most `width` are worked on at a time.

    The first exception is raised when all have ended.
    """
    with Crew(width, name) as crew:
        return crew.each(work, items)


def by_whoever_waits(work: Callable[[], Result]) -> Result:
    """What the work returns, done by the thread that waits for this one's crew; by this one if it is of none.

    That thread has a database connection. One for each of a crew would be many: PostgreSQL allows a hundred.
    """
    crew: Crew | None = getattr(_here, "crew", None)
    return work() if crew is None else crew.by_caller(work)


class Crew:
    """At most `width` threads that stay until the block ends.

    Opening a database connection costs more than a step needs of it, so a thread that needs one keeps it.
    """

    def __init__(self, width: int, name: str) -> None:
        self._width, self._name = width, name
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        """What threads want done by the caller. None: a job, or a thread, has ended."""
        self._ends_due = 0
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        self._ends_due += len(self._threads)
        self._wait()
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
        self._ends_due += len(items)
        for item, result in zip(items, results, strict=True):
            self._jobs.put(lambda item=item, result=result: _do(lambda: work(item), result))  # type: ignore[misc]
        self._wait()
        return [one.result() for one in results]

    def by_caller(self, work: Callable[[], Result]) -> Result:
        """What the work returns, done by the thread that waits for the crew: for threads of the crew."""
        result: Future[Result] = Future()
        self._calls.put(lambda: _do_for_another(work, result))
        return result.result()

    def _wait(self) -> None:
        """Do what threads ask for until all jobs that were given, and all threads that must end, have ended.

        Interrupted, the block's end waits for the rest: no thread is left that waits for an answer.
        """
        while self._ends_due:
            call = self._calls.get()
            if call is None:
                self._ends_due -= 1
            else:
                call()

    def _work(self) -> None:
        _here.crew = self
        try:
            while (job := self._jobs.get()) is not None:
                job()
                _leave_broken_connections()
                self._calls.put(None)
        finally:
            connections.close_all()
            self._calls.put(None)


def _do(work: Callable[[], Result], result: Future[Result]) -> None:
    try:
        result.set_result(work())
    except BaseException as error:
        result.set_exception(error)


def _do_for_another(work: Callable[[], Result], result: Future[Result]) -> None:
    """Whoever asked learns of every error; an interruption is this thread's own as well."""
    _leave_broken_connections()
    _do(work, result)
    error = result.exception()
    if error is not None and not isinstance(error, Exception):
        raise error


def _leave_broken_connections() -> None:
    """After an error of the database the next work opens a connection anew, and asks first if it is there."""
    for one in connections.all(initialized_only=True):
        if one.in_atomic_block:
            continue
        one.health_check_done = False  # type: ignore[attr-defined]
        if one.errors_occurred:
            with suppress(DatabaseError):  # it is left all the same
                one.close()
