"""What many threads write at the same time is one transaction; each goes on as if it were alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from networks.choices import OperationState
from networks.engine.lease import LeaseLost, claim
from networks.engine.story import record
from networks.models import Change
from nodes.crew import in_threads
from nodes.together import Together, _Entry
from tests.networks.changes import planned
from tests.networks.conftest import Scene


class Disk:
    """Keeps what it is given; the first write waits until `others` more are waiting for it."""

    def __init__(self, together: Together[int], others: int) -> None:
        self.together, self.others = together, others
        self.writes: list[list[int]] = []

    def store(self, items: list[int]) -> None:
        first = not self.writes
        self.writes.append(list(items))
        while first and len(self.together._waiting) < self.others:
            threading.Event().wait(0.001)
        if 7 in items:
            raise ValueError("seven")


def test_threads_that_wait_for_one_another_are_stored_in_one_write() -> None:
    together: Together[int] = Together()
    disk = Disk(together, 5)
    in_threads(lambda number: together.write(number, disk.store), [1, 2, 3, 4, 5, 6], 6, "try")
    assert [len(items) for items in disk.writes] == [1, 5]
    assert sorted(item for items in disk.writes for item in items) == [1, 2, 3, 4, 5, 6]


def test_an_error_is_raised_where_it_belongs_and_nowhere_else() -> None:
    together: Together[int] = Together()
    disk = Disk(together, 3)

    def write(number: int) -> str:
        try:
            together.write(number, disk.store)
        except ValueError as error:
            return str(error)
        return "stored"

    results = in_threads(write, [1, 2, 7, 3], 4, "try")
    assert sorted(results) == ["seven", "stored", "stored", "stored"]


def test_a_write_waits_a_moment_for_those_at_work_and_no_longer_than_they_are() -> None:
    together: Together[int] = Together(30.0)
    disk = Disk(together, 0)
    wrote, ended = threading.Event(), threading.Event()

    def work(number: int) -> None:
        with together.at_work():
            if number == 3:
                ended.wait(10)  # has nothing to write after all
            elif number == 2:
                wrote.wait(10)
                together.write(number, disk.store)
            else:
                threading.Timer(0.05, wrote.set).start()
                threading.Timer(0.1, ended.set).start()
                together.write(number, disk.store)

    in_threads(work, [1, 2, 3], 3, "try")
    together.write(4, disk.store)
    assert [sorted(items) for items in disk.writes] == [[1, 2], [4]]


def test_who_is_stored_goes_on_while_others_are_gathered() -> None:
    together: Together[int] = Together(30.0)
    begun, go_on = threading.Event(), threading.Event()
    writes: list[list[int]] = []

    def store(items: list[int]) -> None:
        writes.append(sorted(items))
        begun.set()
        go_on.wait(10)

    def thread(number: int) -> threading.Thread:
        found = threading.Thread(target=together.write, args=(number, store), daemon=True)
        found.start()
        return found

    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(together.at_work())
        three = [thread(number) for number in (1, 2, 3)]
        assert begun.wait(10)
        late = [thread(number) for number in (4, 5)]
        while len(together._waiting) < 2:
            threading.Event().wait(0.001)
        go_on.set()
        for one in three:
            one.join(10)
        assert not any(one.is_alive() for one in three) and all(one.is_alive() for one in late)
    for one in late:
        one.join(10)
    assert writes == [[1, 2, 3], [4, 5]]


class Interrupted(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt


@pytest.mark.parametrize("alone", [True, False])
def test_who_is_interrupted_while_it_waits_leaves_its_turn_to_others(
    alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: Together[int] = Together()
    begun, go_on = threading.Event(), threading.Event()
    writes: list[list[int]] = []

    def store(items: list[int]) -> None:
        writes.append(items)
        begun.set()
        go_on.wait(10)

    first = threading.Thread(target=together.write, args=(1, store), daemon=True)
    if not alone:
        first.start()
        assert begun.wait(10)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("nodes.together._Entry", lambda item: _Entry(item, Interrupted()))
        together.write(2, store)
    go_on.set()
    last = threading.Thread(target=together.write, args=(3, store), daemon=True)
    last.start()
    last.join(10)
    assert not last.is_alive() and writes == ([[3]] if alone else [[1], [3]])


def test_what_was_not_stored_when_the_storing_thread_was_interrupted_does_not_pass_for_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together: Together[int] = Together(30.0)

    def interrupted(entries: Any, store: Any) -> None:
        assert len(entries) == 2
        raise KeyboardInterrupt

    def write(number: int) -> str:
        try:
            with together.at_work():
                ready.wait(10)
                together.write(number, lambda items: None)
        except KeyboardInterrupt:
            return "interrupted"
        return "stored"

    ready = threading.Barrier(2)
    monkeypatch.setattr("nodes.together._store_all", interrupted)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(write, [1, 2])) == ["interrupted", "interrupted"]
    monkeypatch.undo()
    together.write(3, lambda items: None)


def test_an_interrupt_in_the_middle_of_a_store_is_not_taken_for_an_error_of_it() -> None:
    together: Together[int] = Together(30.0)
    calls: list[list[int]] = []

    def store(items: list[int]) -> None:
        calls.append(items)
        if len(calls) == 1:
            raise KeyboardInterrupt

    def write(number: int) -> str:
        try:
            with together.at_work():
                ready.wait(10)
                together.write(number, store)
        except KeyboardInterrupt:
            return "interrupted"
        return "stored"

    ready = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(write, [1, 2])) == ["interrupted", "stored"]
    assert sorted(map(len, calls)) == [1, 1, 2], "each has had a chance of its own"


def test_it_gives_up_waiting_after_a_while() -> None:
    together: Together[int] = Together(0.01)
    disk = Disk(together, 0)
    with together.at_work(), together.at_work():
        together.write(1, disk.store)
    assert disk.writes == [[1]]


@pytest.mark.django_db(transaction=True)
def test_what_servers_tell_at_the_same_time_is_kept_of_each_and_counted_for_the_page(
    scene: Scene, operator: Any
) -> None:
    change = planned(operator, servers=(scene.server1, scene.server2))
    Change.objects.filter(pk=change.pk).update(state="queued")
    lease = claim(change.pk)
    assert lease
    before = Change.objects.get(pk=change.pk).version
    in_threads(
        lambda op: record(lease, op, f"Said {op.server_name}.", state=OperationState.APPLYING),
        list(change.operations.all()),
        2,
        "try",
    )
    for operation in change.operations.all():
        assert operation.state == OperationState.APPLYING
        assert [line["text"] for line in operation.events] == [f"Said {operation.server_name}."]
    assert Change.objects.get(pk=change.pk).version > before


@pytest.mark.django_db(transaction=True)
def test_whoever_lost_the_lease_writes_nothing_of_any_server(scene: Scene, operator: Any) -> None:
    change = planned(operator, servers=(scene.server1, scene.server2))
    Change.objects.filter(pk=change.pk).update(state="queued")
    lease = claim(change.pk)
    assert lease
    Change.objects.filter(pk=change.pk).update(fence=lease.fence + 1)

    def write(operation: Any) -> str:
        try:
            record(lease, operation, "Late.", state=OperationState.DONE)
        except LeaseLost:
            return "lost"
        return "written"

    assert in_threads(write, list(change.operations.all()), 2, "try") == ["lost", "lost"]
    assert {op.state for op in change.operations.all()} == {OperationState.PLANNED}
