"""Work for many servers at a time: all of it done, in order, over few database connections."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from networks.engine.threads import in_threads


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
