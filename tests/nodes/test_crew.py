"""Work for many servers at a time: all of it done, in order, over few database connections."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from nodes.crew import Crew, by_whoever_waits, in_threads
from nodes.together import Together


def test_results_come_in_the_order_of_the_items() -> None:
    assert in_threads(lambda number: number * number, list(range(50)), 8, "try") == [n * n for n in range(50)]
    assert in_threads(lambda number: number, [], 8, "try") == []


def test_no_more_threads_work_than_it_may() -> None:
    busy, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=10)

    def work(number: int) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        both.wait()
        with lock:
            busy -= 1

    in_threads(work, list(range(6)), 2, "try")
    assert most == 2


def test_an_exception_is_raised_when_all_have_ended() -> None:
    done = []

    def work(number: int) -> None:
        if number == 0:
            raise ValueError("the first")
        done.append(number)

    with pytest.raises(ValueError, match="the first"):
        in_threads(work, list(range(10)), 2, "try")
    assert sorted(done) == list(range(1, 10))


@pytest.mark.django_db(transaction=True)
def test_a_thread_opens_one_database_connection() -> None:
    opened = []

    def count(sender: Any, **kwargs: Any) -> None:
        opened.append(threading.current_thread().name)

    def work(number: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    connection_created.connect(count)
    try:
        in_threads(work, list(range(40)), 3, "try")
    finally:
        connection_created.disconnect(count)
    assert 1 <= len(opened) <= 3 and len(opened) == len(set(opened))


def names_of_storing_threads(items: list[int], width: int) -> set[str]:
    together: Together[int] = Together()
    names: set[str] = set()

    def store(rows: list[int]) -> None:
        names.add(threading.current_thread().name)

    in_threads(lambda number: together.write(number, store), items, width, "try")
    return names


def test_what_threads_write_together_is_stored_by_whoever_waits_for_them() -> None:
    assert names_of_storing_threads(list(range(20)), 8) == {threading.current_thread().name}


def test_a_thread_of_no_crew_does_it_by_itself() -> None:
    assert by_whoever_waits(threading.current_thread) is threading.current_thread()


def test_an_error_is_told_to_the_thread_that_asked_and_to_no_other() -> None:
    def fail() -> None:
        raise ValueError("mine")

    def work(number: int) -> str:
        try:
            by_whoever_waits(fail if number == 1 else lambda: None)
        except ValueError as error:
            return str(error)
        return "done"

    assert in_threads(work, [0, 1, 2], 3, "try") == ["done", "mine", "done"]


def test_an_interrupted_caller_leaves_no_thread_that_waits_for_it() -> None:
    ended: list[int] = []
    both = threading.Barrier(2, timeout=10)

    def interrupt() -> None:
        raise KeyboardInterrupt

    def work(number: int) -> None:
        both.wait()
        try:
            by_whoever_waits(interrupt if number == 0 else lambda: None)
        finally:
            ended.append(number)

    with pytest.raises(KeyboardInterrupt), Crew(2, "try") as crew:
        crew.each(work, [0, 1])
    assert sorted(ended) == [0, 1]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("try-")]
