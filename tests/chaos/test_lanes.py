"""Runs side by side: never two on one server, and in the order of their numbers there."""

from __future__ import annotations

import threading
import time

from chaos.lanes import side_by_side

NEEDS = [{"a"}, {"b"}, {"a", "b"}, {"c"}, {"a"}, {"b", "c"}, {"a", "b", "c"}, {"c"}, {"b"}]


def test_each_has_its_things_alone_and_in_order() -> None:
    busy: set[str] = set()
    orders: dict[str, list[int]] = {name: [] for name in "abc"}
    lanes: set[int] = set()
    lock = threading.Lock()

    def work(number: int, lane: int) -> None:
        with lock:
            assert busy.isdisjoint(NEEDS[number]) and lane not in lanes
            busy.update(NEEDS[number])
            lanes.add(lane)
            for name in NEEDS[number]:
                orders[name].append(number)
        time.sleep(0.01)
        with lock:
            busy.difference_update(NEEDS[number])
            lanes.remove(lane)

    side_by_side(range(len(NEEDS)), lambda number: NEEDS[number], work, lanes=2)
    for name, seen in orders.items():
        assert seen == [n for n, needs in enumerate(NEEDS) if name in needs]


def test_one_that_breaks_off_gives_its_things_back() -> None:
    seen = []

    def work(number: int, lane: int) -> None:
        seen.append(number)
        raise RuntimeError

    side_by_side(range(3), lambda number: {"a"}, work, lanes=2)
    assert seen == [0, 1, 2]


def test_none_is_begun_after_the_time() -> None:
    seen: list[int] = []

    def work(number: int, lane: int) -> None:
        seen.append(number)
        time.sleep(0.3)

    side_by_side(range(5), lambda number: {"a"}, work, lanes=1, seconds=0.1)
    assert seen == [0]
