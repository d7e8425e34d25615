"""Many servers looked at together: one exec each, few statements, and nothing that has changed is missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from nodes import fanout, observe, remembered, tasks
from nodes.choices import HostKeyState, ServerState
from nodes.crew import in_threads
from nodes.fanout import SETTLED, lasting, observe_many
from nodes.models import HostKey, Look, PhysicalServer, ServerGroup
from nodes.observe import Words, pool
from nodes.services.looks import request_looks
from nodes.signals import compared_with, looked
from nodes.ssh.errors import Unreachable
from tests.nodes.conftest import behind
from tests.sshd import Sshd

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def seen(sshd: Sshd, server: PhysicalServer) -> Iterator[PhysicalServer]:
    """A server behind a real sshd, looked at until its words are known."""
    behind(sshd, server)
    fanout._seen.clear()
    remembered.forget_all()
    for _ in range(SETTLED):
        observe_many([server.pk])
    yield server
    pool().forget(str(server.pk))
    fanout._seen.clear()


@pytest.fixture
def told() -> Iterator[list[int]]:
    """Servers whose looks were passed on."""
    heard: list[int] = []

    def hear(sender: Any, looks: Any, **kwargs: Any) -> None:
        heard.extend(look.server_id for look in looks)

    looked.connect(hear)
    yield heard
    looked.disconnect(hear)


def test_an_unchanged_server_is_one_exec_and_only_its_times_are_written(
    seen: PhysicalServer, sshd: Sshd, told: list[int]
) -> None:
    before, execs = Look.objects.get(server=seen), sshd.commands
    with CaptureQueriesContext(connection) as queries:
        observe_many([seen.pk])
    after = Look.objects.get(server=seen)
    seen.refresh_from_db()
    assert sshd.commands == execs + 1 and not told
    assert after.at > before.at and (after.facts, after.digest) == (before.facts, before.digest)
    assert seen.looked_at == seen.seen_at == after.at
    assert seen.next_look_at is not None and seen.next_look_at > after.at
    assert seen.look_claimed_until is None
    statements = [query["sql"] for query in queries if not query["sql"].startswith(("BEGIN", "COMMIT"))]
    assert len(statements) <= 9 + 2 * locking(), statements


def locking() -> int:
    """Statements that only take locks: on SQLite the transaction itself has the lock."""
    return int(connection.features.has_select_for_update)


def test_the_statements_do_not_grow_with_the_servers(
    seen: PhysicalServer,
    sshd: Sshd,
    group: ServerGroup,
    django_assert_max_num_queries: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fanout, "GATHER_S", 10.0)  # it does not wait when all have answered
    others = []
    for number in range(5):
        other = PhysicalServer.objects.create(
            name=f"other{number}", group=group, address="192.0.2.1", credential=seen.credential
        )
        behind(sshd, other)
        others.append(other.pk)
    for _ in range(SETTLED):
        observe_many(others)
    execs = sshd.commands
    with django_assert_max_num_queries(11 + 4 * locking()):
        observe_many(others)
    assert sshd.commands == execs + 5
    for pk in others:
        pool().forget(str(pk))


def test_what_has_changed_is_stored_and_passed_on(
    seen: PhysicalServer, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fanout.observe.words_of

    def otherwise(server: PhysicalServer) -> Words:
        words = real(server)
        changed = words.stdout.replace(b"/proc/sys/kernel/hostname:", b"/proc/sys/kernel/hostname:new-")
        return Words(changed, words.nonce, words.duration_ms, words.connect_ms)

    monkeypatch.setattr(fanout.observe, "words_of", otherwise)
    observe_many([seen.pk])
    seen.refresh_from_db()
    assert seen.hostname.startswith("new-") and told == [seen.pk]


def test_a_look_is_whole_when_what_it_is_compared_with_has_changed(
    seen: PhysicalServer, told: list[int]
) -> None:
    def newest(sender: Any, **kwargs: Any) -> int:
        return 7

    compared_with.connect(newest)
    try:
        observe_many([seen.pk])
    finally:
        compared_with.disconnect(newest)
    assert told == [seen.pk]


def test_a_look_is_whole_when_somebody_else_has_stored_another(seen: PhysicalServer, told: list[int]) -> None:
    Look.objects.filter(server=seen).update(digest="another")
    observe_many([seen.pk])
    assert told == [seen.pk]


def test_every_so_often_a_look_is_whole_whatever_it_says(
    seen: PhysicalServer, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "WHOLE_EVERY", 2)
    for _ in range(3):
        observe_many([seen.pk])
    assert told == [seen.pk]


def test_a_server_need_not_say_again_what_only_a_restart_changes(
    seen: PhysicalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = remembered.known_of(seen.pk)
    assert known is not None and "ip-version" in known.words
    printed: list[bytes] = []

    def overheard(server_id: int, stdout: bytes, nonce: str, known: Any) -> bytes:
        whole = remembered.completed(server_id, stdout, nonce, known)
        printed.extend((stdout, whole))
        return whole

    monkeypatch.setattr(
        observe, "remembered", SimpleNamespace(known_of=remembered.known_of, completed=overheard)
    )
    words = observe.words_of(observe.servers_to_ask().get(pk=seen.pk))
    short, whole = printed
    assert b" same ip-version\n" in short and b"begin ip-version" not in short
    assert whole == words.stdout and b" same " not in whole
    assert observe.understood(words).facts.tools["ip"]


def test_a_server_that_failed_is_looked_at_whole_again(seen: PhysicalServer, told: list[int]) -> None:
    PhysicalServer.objects.filter(pk=seen.pk).update(state=ServerState.UNREACHABLE, state_reason="was away")
    observe_many([seen.pk])
    seen.refresh_from_db()
    assert (seen.state, seen.state_reason) == (ServerState.OK, "") and told == [seen.pk]


@pytest.fixture
def strangers(group: ServerGroup) -> list[PhysicalServer]:
    """New servers, of which no host key is known."""
    return [
        PhysicalServer.objects.create(
            name=f"new{number}", group=group, address="192.0.2.1", state=ServerState.NEW
        )
        for number in range(3)
    ]


def test_strangers_are_asked_for_their_keys_at_once_and_keep_nobody_waiting(
    seen: PhysicalServer, strangers: list[PhysicalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, stored, real = threading.Barrier(len(strangers)), threading.Event(), fanout._store
    kept_waiting: list[bool] = []

    def silent(*args: Any, **options: Any) -> None:
        at_once.wait(10)
        kept_waiting.append(not stored.wait(10))
        raise Unreachable("does not answer")

    def store(results: Any, *rest: Any) -> None:
        real(results, *rest)
        if any(one.server.pk == seen.pk for one in results):
            stored.set()

    monkeypatch.setattr(observe.ssh, "read_host_key", silent)
    monkeypatch.setattr(fanout, "_store", store)
    observe_many([seen.pk, *(one.pk for one in strangers)])
    assert kept_waiting == [False] * len(strangers)
    for one in PhysicalServer.objects.filter(pk__in=[one.pk for one in strangers]):
        assert (one.state, one.look_claimed_until) == (ServerState.NEW, None)
        assert one.state_reason and one.looked_at


def test_the_key_that_a_stranger_shows_is_offered_and_not_asked_for_again(
    sshd: Sshd, strangers: list[PhysicalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    new = strangers[0]
    PhysicalServer.objects.filter(pk=new.pk).update(address=sshd.address, port=sshd.port)
    observe_many([new.pk])
    assert HostKey.objects.get(server=new).state == HostKeyState.OFFERED
    new.refresh_from_db()
    assert (new.state, new.state_reason, new.look_claimed_until) == (ServerState.NEW, "", None)
    assert new.looked_at is not None
    monkeypatch.setattr(observe, "key_shown_by", lambda server: pytest.fail("its key waits for a person"))
    observe_many([new.pk])


@pytest.mark.parametrize("writer", ["a look", "a click"])
def test_who_writes_many_servers_takes_their_rows_in_the_order_of_all_others(
    group: ServerGroup, admin: Any, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has one writer at a time")
    monkeypatch.setattr(tasks, "send_shards", lambda *args: None)
    monkeypatch.setattr(observe, "key_shown_by", silent)
    first, second = (
        PhysicalServer.objects.create(name=name, group=group, address="192.0.2.1") for name in "ab"
    )
    # Its row lies behind the other's now.
    PhysicalServer.objects.filter(pk=first.pk).update(hostname="a")

    def write() -> None:
        try:
            if writer == "a look":
                observe_many([first.pk, second.pk])
            else:
                request_looks(admin, PhysicalServer.objects.all())
        finally:
            connections.close_all()

    thread = threading.Thread(target=write)
    with transaction.atomic():
        fanout.lock([first.pk])
        thread.start()
        while not waiting_for_locks():
            time.sleep(0.01)
        free = PhysicalServer.objects.select_for_update(skip_locked=True).filter(pk=second.pk)
        assert list(free), "whoever waits for the first must not have the second"
    thread.join()


def silent(server: PhysicalServer) -> None:
    raise observe.LookFailed(ServerState.NEW, "It does not answer.")


def waiting_for_locks() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_only_the_clock_and_our_own_processes_are_passing() -> None:
    def said(first: str, rest: str, nonce: str = "a1") -> bytes:
        text = f"@{nonce} begin who\n{first}\n\n@{nonce} rc 0\n\n@{nonce} begin kernel\n{rest}\n"
        return lasting(Words(text.encode(), nonce, 0, 0))

    first = said("uptime 5.1\nprocess 7 3 sh\nsystemd", "x")
    assert first == said("uptime 9.9\nprocess 8 4 sh\nsystemd", "x", nonce="b2")
    assert first != said("uptime 5.1\nprocess 7 3 sh", "x")
    assert first != said("uptime 5.1\nprocess 7 3 sh\nsystemd", "y")
    # What a container prints further down always counts.
    assert said("", "uptime 1") != said("", "uptime 2")


def test_clocks_that_run_in_what_ip_says_are_passing() -> None:
    def said(rest: str) -> bytes:
        return lasting(Words(f"@a1 begin who\n\n@a1 rc 0\n{rest}".encode(), "a1", 0, 0))

    for one, later in (
        ('"gc_timer":296.25,"mtu":1500', '"gc_timer":12.00,"mtu":1500'),
        ("gc_timer  296.26 group", "gc_timer   96.26 group"),
        (
            '"valid_life_time":86395,"preferred_life_time":14395',
            '"valid_life_time":86381,"preferred_life_time":14381',
        ),
        ("valid_lft 86395sec", "valid_lft 86381sec"),
        ('"metric":1024,"expires":1799', '"metric":1024,"expires":1797'),
        ("metric 1024 expires 1799sec", "metric 1024 expires 1797sec"),
        (":FORWARD ACCEPT [12:345]", ":FORWARD ACCEPT [13:456]"),
        ("counter packets 12 bytes 345 drop", "counter packets 13 bytes 456 drop"),
    ):
        assert said(one) == said(later)
    assert said('"gc_timer":296.25,"mtu":1500') != said('"gc_timer":296.25,"mtu":1400')
    assert said('"forward_delay":1500') != said('"forward_delay":0')
    assert said(":FORWARD ACCEPT [12:345]") != said(":FORWARD DROP [12:345]")
    assert said("valid_lft forever") != said("valid_lft 86395sec")


def test_threads_that_look_at_the_same_time_store_what_they_found_together(
    seen: PhysicalServer, sshd: Sshd, group: ServerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = PhysicalServer.objects.create(
        name="other", group=group, address="192.0.2.1", credential=seen.credential
    )
    behind(sshd, other)
    stored: list[int] = []
    together, real = observe._stored_together, observe.sync.store_many

    def counted(looks: Any) -> Any:
        while not stored and len(together._waiting) < 2:
            time.sleep(0.001)
        stored.append(len(looks))
        return real(looks)

    monkeypatch.setattr(observe.sync, "store_many", counted)
    monkeypatch.setattr(together, "gather_s", 0.0)
    servers = [PhysicalServer.objects.get(pk=pk) for pk in (seen.pk, other.pk, seen.pk)]
    in_threads(observe.look, servers, 3, "try")
    pool().forget(str(other.pk))
    # One was stored while two waited: they were two servers, or one that was looked at twice.
    assert stored in ([1, 2], [1, 1, 1])
    assert {look.server_id for look in Look.objects.all()} == {seen.pk, other.pk}


def test_a_look_waits_a_moment_for_others_that_are_under_way_and_alone_it_does_not(
    seen: PhysicalServer, sshd: Sshd, group: ServerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = PhysicalServer.objects.create(
        name="other", group=group, address="192.0.2.1", credential=seen.credential
    )
    behind(sshd, other)
    stored: list[int] = []
    real = observe.sync.store_many

    def counted(looks: Any) -> Any:
        stored.append(len(looks))
        return real(looks)

    monkeypatch.setattr(observe.sync, "store_many", counted)
    monkeypatch.setattr(observe._stored_together, "gather_s", 30.0)
    in_threads(observe.look, [PhysicalServer.objects.get(pk=pk) for pk in (seen.pk, other.pk)], 2, "try")
    observe.look(PhysicalServer.objects.get(pk=seen.pk))
    pool().forget(str(other.pk))
    assert sum(stored) == 3 and stored[-1] == 1
