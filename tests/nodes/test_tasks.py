"""Which servers are looked at when, by whom, and that one slow server delays no other."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from nodes import observe, tasks
from nodes.choices import ServerState
from nodes.models import Credential, HostKey, PhysicalServer, ServerGroup
from nodes.observe import pool
from tests.nodes.conftest import behind
from tests.sshd import Sshd

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Shards given to the broker, instead of giving them."""
    messages: list[list[int]] = []
    monkeypatch.setattr(tasks, "send", lambda task, *args, **options: messages.append(*args))
    return messages


def servers(group: ServerGroup, number: int, **more: Any) -> list[PhysicalServer]:
    """So many Linux servers that nobody has looked at."""
    columns = {"group": group, "address": "192.0.2.1", "state": ServerState.WAITING, **more}
    return PhysicalServer.objects.bulk_create(PhysicalServer(name=f"n{n}", **columns) for n in range(number))


def at_once(number: int, work: Callable[[], Any]) -> list[Any]:
    """What the work returned in so many threads that began together."""
    barrier = threading.Barrier(number)
    results: list[Any] = []

    def one() -> None:
        try:
            barrier.wait()
            results.append(work())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_schedulers_at_once_give_each_server_to_one(group: ServerGroup) -> None:
    expected = {server.pk for server in servers(group, 40)}
    taken = [pk for answering, silent in at_once(4, tasks.take_due) for pk in (*answering, *silent)]
    assert sorted(taken) == sorted(expected)


def test_two_looks_at_once_are_one(sshd: Sshd, server: PhysicalServer) -> None:
    behind(sshd, server)
    done = at_once(4, lambda: observe.observe(server.pk))
    pool().forget(str(server.pk))
    assert sorted(done) == [False, False, False, True]
    assert sshd.commands == 1


def test_only_what_is_due_is_sent(group: ServerGroup, windows: PhysicalServer, sent: list[list[int]]) -> None:
    now = timezone.now()
    new, later, disabled, busy, asked, just_asked = servers(group, 6)
    PhysicalServer.objects.filter(pk__in=[later.pk, asked.pk, just_asked.pk]).update(
        next_look_at=now + timedelta(seconds=30)
    )
    PhysicalServer.objects.filter(pk=disabled.pk).update(is_enabled=False)
    PhysicalServer.objects.filter(pk=busy.pk).update(look_claimed_until=now + timedelta(seconds=30))
    PhysicalServer.objects.filter(pk=asked.pk).update(look_requested_at=now - timedelta(seconds=11))
    PhysicalServer.objects.filter(pk=just_asked.pk).update(look_requested_at=now)
    assert tasks.observe_due() == 2
    assert sorted(pk for shard in sent for pk in shard) == sorted([new.pk, asked.pk])
    assert windows.pk not in {pk for shard in sent for pk in shard}


def test_what_was_sent_is_not_due_again_within_half_a_minute(
    group: ServerGroup, sent: list[list[int]]
) -> None:
    servers(group, 30)
    assert tasks.observe_due() == 30
    assert tasks.observe_due() == 0
    soon = timezone.now() + timedelta(seconds=29)
    assert not PhysicalServer.objects.filter(next_look_at__lt=soon).exists()


def test_a_thousand_servers_are_a_few_messages_spread_over_the_minute(
    group: ServerGroup, sent: list[list[int]]
) -> None:
    servers(group, 1000)
    assert tasks.observe_due() == 1000
    assert len(sent) == 16 and max(map(len, sent)) - min(map(len, sent)) <= 1
    due = PhysicalServer.objects.order_by("next_look_at").values_list("next_look_at", flat=True)
    per_tick: dict[int, int] = {}
    for at in due:
        per_tick[int(at.timestamp() // 10)] = per_tick.get(int(at.timestamp() // 10), 0) + 1
    assert max(per_tick.values()) < 180


def test_silent_servers_go_into_shards_of_their_own(group: ServerGroup, sent: list[list[int]]) -> None:
    good = servers(group, 3)
    bad = PhysicalServer.objects.create(
        name="bad", group=group, address="192.0.2.1", state=ServerState.UNREACHABLE
    )
    tasks.observe_due()
    assert sorted(map(sorted, sent)) == sorted([[one.pk for one in good], [bad.pk]])


def test_each_server_belongs_to_one_worker_whatever_is_due(
    group: ServerGroup, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WORKERS = 3
    queues: dict[int, set[str]] = {}

    def sent_to(task: Any, shard: list[int], queue: str) -> None:
        for pk in shard:
            queues.setdefault(pk, set()).add(queue)

    monkeypatch.setattr(tasks, "send", sent_to)
    pks = [server.pk for server in servers(group, 90)]
    tasks.send_shards(pks)
    tasks.send_shards(pks[::2])
    assert all(len(found) == 1 for found in queues.values())
    assert {queue for found in queues.values() for queue in found} == {"servers-0", "servers-1", "servers-2"}


def test_one_more_worker_takes_only_what_becomes_its_own() -> None:
    before = [tasks.worker_of(pk, 3) for pk in range(3000)]
    after = [tasks.worker_of(pk, 4) for pk in range(3000)]
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {3} and 600 < len(moved) < 900
    assert all(800 < before.count(worker) < 1200 for worker in range(3))


@pytest.fixture
def silent_port() -> Iterator[tuple[str, int]]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()


def test_one_slow_server_delays_no_other(
    sshd: Sshd, server: PhysicalServer, silent_port: tuple[str, int], group: ServerGroup
) -> None:
    behind(sshd, server)
    slow = PhysicalServer.objects.create(
        name="slow",
        group=group,
        address=silent_port[0],
        port=silent_port[1],
        credential=Credential.objects.get(),
        state=ServerState.WAITING,
    )
    HostKey.objects.create(
        server=slow, key_type="ssh-ed25519", base64="AAAA", sha256="SHA256:s", state="pinned"
    )
    started = time.monotonic()
    shard = threading.Thread(target=tasks.observe_shard, args=([slow.pk, server.pk],))
    shard.start()
    while time.monotonic() - started < 8:
        server.refresh_from_db()
        if server.state == ServerState.OK:
            break
        time.sleep(0.05)
    took = time.monotonic() - started
    shard.join()
    pool().forget(str(server.pk))
    slow.refresh_from_db()
    assert server.state == ServerState.OK and took < 8
    assert slow.state == ServerState.UNREACHABLE and slow.state_reason
    assert time.monotonic() - started < 30


def test_a_lost_broker_is_survived(group: ServerGroup) -> None:
    """The tests' settings name a broker socket that nobody listens on."""
    servers(group, 3)
    assert tasks.observe_due() == 3


def test_the_schedule_names_tasks_that_exist() -> None:
    from vnetpanel.celery import app

    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks
