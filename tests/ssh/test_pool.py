"""Connections are shared, replaced when they die, and never more than asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nodes.commands import Command
from nodes.ssh import Completed, Credential, Pool, SshError, Timeouts, make_key_pair, process_pool
from nodes.ssh.errors import LoginRefused, Unreachable
from tests.ssh import listeners
from tests.ssh.conftest import StartSshd
from tests.sshd import USER, Sshd

TRUE = Command(("true",))


def sh(script: str) -> Command:
    return Command(("sh", "-c", script))


def wait_until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def test_runs_share_one_connection(sshd: Sshd, pool: Pool) -> None:
    runs = [pool.run(sshd.target(), TRUE) for _ in range(5)]

    assert len({run.connection for run in runs}) == 1
    assert runs[0].connect_seconds > 0
    assert [run.connect_seconds for run in runs[1:]] == [0.0] * 4
    assert (sshd.connections, sshd.commands) == (1, 5)


@pytest.mark.parametrize(("command", "round_trips"), [(TRUE, 2), (Command(("cat",), b"input"), 3)])
def test_a_warm_run_takes_two_round_trips_and_input_a_third(
    sshd: Sshd, pool: Pool, command: Command, round_trips: int
) -> None:
    one_way = 0.05
    with listeners.listener(listeners.delayed(sshd.address, sshd.port, one_way)) as (address, port):
        target = sshd.target(address=address, port=port)
        pool.run(target, TRUE)
        times = [_seconds(lambda: pool.run(target, command))]
        # The fastest of several: other work on the machine only ever adds.
        while min(times) >= (limit := 2 * one_way * (round_trips + 0.6)) and len(times) < 20:
            times.append(_seconds(lambda: pool.run(target, command)))

    assert 2 * one_way * round_trips <= min(times) < limit


def _seconds(call: Callable[[], object]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


def test_threads_share_one_connection(sshd: Sshd, pool: Pool) -> None:
    with ThreadPoolExecutor(16) as threads:
        runs = list(threads.map(lambda n: pool.run(sshd.target(), sh(f"echo {n}")), range(40)))

    assert [run.stdout for run in runs] == [f"{n}\n".encode() for n in range(40)]
    assert (sshd.connections, sshd.logins, sshd.commands) == (1, 1, 40)


def test_only_so_many_commands_run_on_a_server_at_a_time(sshd: Sshd) -> None:
    pool = Pool(channels_per_server=2)
    count = sh("mkdir /root/now.$$; ls -d /root/now.* | wc -l; sleep 0.2; rmdir /root/now.$$")
    with ThreadPoolExecutor(6) as threads:
        runs = list(threads.map(lambda _: pool.run(sshd.target(), count), range(6)))

    assert max(int(run.stdout) for run in runs) <= 2
    assert sshd.connections == 1
    pool.close()


def test_a_server_that_allows_one_session_gets_one_after_the_other(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd("MaxSessions 1")
    with ThreadPoolExecutor(6) as threads:
        runs = list(threads.map(lambda _: pool.run(sshd.target(), sh("sleep 0.05")), range(12)))

    assert all(run.ok for run in runs)
    assert sshd.commands == 12
    assert sshd.connections == 1


def test_sessions_left_hanging_on_the_server_do_not_stop_it(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd("MaxSessions 1")
    for _ in range(3):
        with pytest.raises(SshError):
            pool.run(sshd.target(), sh("trap '' TERM; exec sleep 30"), deadline_s=0.5)

    assert pool.run(sshd.target(), TRUE).ok


def test_servers_do_not_wait_for_each_other(start_sshd: StartSshd, pool: Pool) -> None:
    slow, quick = start_sshd(), start_sshd()
    thread = threading.Thread(target=lambda: pool.run(slow.target(), sh("sleep 5")))
    thread.start()
    slow.wait_for_commands(1)

    assert pool.run(quick.target(), TRUE).ok
    assert thread.is_alive()
    thread.join()


def test_a_restarted_server_gets_a_new_connection(sshd: Sshd, pool: Pool) -> None:
    first = pool.run(sshd.target(), TRUE)
    sshd.restart()

    second = pool.run(sshd.target(), TRUE)

    assert second.ok
    assert second.connection != first.connection


def test_a_connection_that_died_unnoticed_is_replaced_before_anything_is_sent(sshd: Sshd) -> None:
    pool = Pool(timeouts=Timeouts(reopen_s=0.5))
    stuck = threading.Event()

    def line(client: object) -> None:
        # The first connection through it goes dead without a word; the later ones work.
        number = len(lines)
        lines.append(number)
        listeners.mute_on(stuck if number == 0 else threading.Event(), sshd.address, sshd.port)(client)  # type: ignore[arg-type]

    lines: list[int] = []
    with listeners.listener(line) as (address, port):
        target = sshd.target(address=address, port=port)
        pool.run(target, sh("echo 1 >> /root/ran"))
        stuck.set()

        assert pool.run(target, sh("echo 2 >> /root/ran")).ok
        pool.close()

    assert (sshd.home / "ran").read_text() == "1\n2\n"
    assert sshd.connections == 2


def test_a_fresh_run_uses_a_connection_of_its_own(sshd: Sshd, pool: Pool) -> None:
    shared = pool.run(sshd.target(), TRUE)
    fresh = [pool.run(sshd.target(), TRUE, fresh=True) for _ in range(2)]

    assert len({shared.connection, *(run.connection for run in fresh)}) == 3
    assert all(run.connect_seconds > 0 for run in fresh)
    assert sshd.logins == 3
    assert pool.run(sshd.target(), TRUE).connection == shared.connection
    assert pool.open_connections == 1
    assert wait_until(lambda: sshd.count("Connection closed by|Received disconnect|Disconnected from") >= 2)


def test_another_credential_means_another_connection(sshd: Sshd, pool: Pool) -> None:
    pair = make_key_pair()
    sshd.authorize(pair.public)
    first = pool.run(sshd.target(), TRUE)

    second = pool.run(sshd.target(credential=Credential(private_key=pair.private)), TRUE)

    assert second.connection != first.connection
    assert pool.open_connections == 1, "the old login is not kept"


def test_a_withdrawn_host_key_ends_the_connection(sshd: Sshd, pool: Pool) -> None:
    pool.run(sshd.target(), TRUE)

    with pytest.raises(SshError) as caught:
        pool.run(sshd.target(host_keys=()), TRUE)

    assert caught.value.reason == "host_key_unknown"
    assert pool.open_connections == 0
    assert sshd.commands == 1


def test_users_of_one_server_have_connections_of_their_own(sshd: Sshd, pool: Pool) -> None:
    pool.run(sshd.target(), TRUE)
    pool.run(sshd.target(username=USER), TRUE)
    pool.run(sshd.target(), TRUE)

    assert sshd.connections == 2


def test_two_servers_at_one_address_never_share_a_connection(sshd: Sshd, pool: Pool) -> None:
    one = pool.run(sshd.target(server="1"), TRUE)
    two = pool.run(sshd.target(server="2"), TRUE)

    assert one.connection != two.connection


def test_an_idle_connection_is_closed(sshd: Sshd) -> None:
    pool = Pool(idle_s=0.3)
    pool.run(sshd.target(), TRUE)

    assert wait_until(lambda: pool.open_connections == 0)
    assert wait_until(lambda: sshd.count("Connection closed by") == 1)
    assert pool.run(sshd.target(), TRUE).ok
    assert wait_until(lambda: pool.open_connections == 0), "it is watched again"
    pool.close()


def test_a_busy_connection_is_not_idle(sshd: Sshd) -> None:
    pool = Pool(idle_s=0.2)

    assert pool.run(sshd.target(), sh("sleep 1; echo done")).stdout == b"done\n"
    pool.close()


def test_the_one_unused_for_longest_makes_room(start_sshd: StartSshd) -> None:
    servers = [start_sshd() for _ in range(3)]
    pool = Pool(max_connections=2)
    for server in (servers[0], servers[1], servers[0], servers[2]):
        pool.run(server.target(), TRUE)

    assert pool.open_connections == 2
    pool.run(servers[0].target(), TRUE)
    assert [server.connections for server in servers] == [1, 1, 1]
    pool.run(servers[1].target(), TRUE)
    assert [server.connections for server in servers] == [1, 2, 1]
    pool.close()


def test_with_no_room_a_run_waits_for_its_turn(start_sshd: StartSshd) -> None:
    servers = [start_sshd() for _ in range(3)]
    pool = Pool(max_connections=1)
    with ThreadPoolExecutor(6) as threads:
        runs: list[Completed] = list(
            threads.map(lambda n: pool.run(servers[n % 3].target(), sh("sleep 0.1")), range(6))
        )

    assert all(run.ok for run in runs)
    assert pool.open_connections == 1
    pool.close()


def test_those_who_wait_for_an_attempt_share_its_failure(sshd: Sshd) -> None:
    pool = Pool(timeouts=Timeouts(banner_s=0.5))
    with listeners.listener(listeners.silent) as (address, port):
        target = sshd.target(address=address, port=port)

        def attempt(_: int) -> str:
            with pytest.raises(Unreachable) as caught:
                pool.run(target, TRUE)
            return caught.value.reason

        start = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            reasons = list(threads.map(attempt, range(8)))

    assert reasons == ["silent"] * 8
    assert time.monotonic() - start < 3.5, "not one after the other"
    assert pool.open_connections == 0
    pool.close()


def test_a_failure_is_not_remembered(sshd: Sshd, pool: Pool) -> None:
    pair = make_key_pair()
    target = sshd.target(credential=Credential(private_key=pair.private))
    with pytest.raises(LoginRefused):
        pool.run(target, TRUE)
    sshd.authorize(pair.public)

    assert pool.run(target, TRUE).ok


def test_a_forgotten_server_has_no_connection_left(start_sshd: StartSshd, pool: Pool) -> None:
    one, two = start_sshd(), start_sshd()
    for server in (one, two):
        pool.run(server.target(), TRUE)

    pool.forget(one.target().server)

    assert pool.open_connections == 1
    assert wait_until(lambda: one.count("Connection closed by") == 1)
    assert two.count("Connection closed by") == 0


def test_a_closed_pool_has_no_connection_and_takes_no_work(sshd: Sshd) -> None:
    pool = Pool()
    pool.run(sshd.target(), TRUE)
    pool.close()

    assert pool.open_connections == 0
    assert wait_until(lambda: sshd.count("Connection closed by") == 1)
    with pytest.raises(RuntimeError, match="closed"):
        pool.run(sshd.target(), TRUE)


def test_it_leaves_no_threads_and_no_sockets_behind(sshd: Sshd) -> None:
    pool = Pool()
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(3):
        pool.run(sshd.target(), TRUE, fresh=True)
        with pytest.raises(SshError):
            pool.run(sshd.target(credential=Credential(password="wrong")), TRUE)
    pool.close()

    # What other tests have left may end meanwhile.
    assert wait_until(lambda: threading.active_count() <= threads)
    assert wait_until(lambda: len(os.listdir("/proc/self/fd")) <= files)  # noqa: PTH208


def test_a_process_has_one_pool_and_a_child_its_own() -> None:
    pool = process_pool()
    assert process_pool() is pool
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"other" if process_pool() is not pool else b"same")
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 10) == b"other"
    assert process_pool() is pool
    os.close(reader)
    os.close(writer)


def test_a_quiet_connection_costs_next_to_nothing(sshd: Sshd, pool: Pool) -> None:
    for number in range(8):
        pool.run(sshd.target(server=str(number)), TRUE)
    before = time.process_time()
    time.sleep(1)

    assert time.process_time() - before < 0.03


def test_the_process_may_open_as_many_files_as_it_keeps_connections() -> None:
    """Debian's soft limit is 1024: a worker that looks at a thousand servers would run into it."""
    code = (
        "import resource as r; import nodes.ssh.pool as p\n"
        "hard = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (200, hard))\n"
        "one = p.process_pool(1000); print(r.getrlimit(r.RLIMIT_NOFILE)[0], hard, one.max_connections)\n"
        "r.setrlimit(r.RLIMIT_NOFILE, (200, 300)); p._pool = None; p.process_pool(1000)\n"
        "print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    soft, hard, connections, bounded = map(int, done.stdout.split())
    assert (soft, connections, bounded) == (min(1500, hard), 1000, 300)
