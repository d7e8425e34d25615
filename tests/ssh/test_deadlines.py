"""A deadline is for the whole run: no server, dead or alive, holds a worker for longer."""

from __future__ import annotations

import threading
import time

import pytest

from nodes.commands import Command
from nodes.ssh import Pool, SshError, Timeouts
from nodes.ssh.errors import CommandTimeout, ConnectionLost, ServerBusy, Unreachable
from tests.ssh import listeners
from tests.sshd import USER, Sshd

# How late a busy machine may notice that a deadline has passed, in seconds. All waits that the deadlines of
# these tests end are ten seconds and longer.
LATE = 3.0


def sh(script: str, stdin: bytes = b"") -> Command:
    return Command(("sh", "-c", script), stdin)


class Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start


def freeze_at_command(sshd: Sshd, number: int) -> threading.Thread:
    """Freeze the server as soon as it runs its so-manieth command."""

    def freeze() -> None:
        sshd.wait_for_commands(number)
        sshd.freeze()

    thread = threading.Thread(target=freeze)
    thread.start()
    return thread


def test_a_command_that_never_ends_is_cut(sshd: Sshd, pool: Pool) -> None:
    pool.run(sshd.target(), sh("true"))
    clock = Clock()
    with pytest.raises(CommandTimeout, match="did not end within 1 s") as caught:
        pool.run(sshd.target(), sh("echo begun; exec sleep 3600"), deadline_s=1)

    assert 0.9 < clock.seconds < 1 + LATE
    assert (caught.value.reason, caught.value.started, caught.value.retryable) == (
        "command_timeout",
        True,
        True,
    )


def test_a_command_that_keeps_printing_is_cut_too(sshd: Sshd, pool: Pool) -> None:
    clock = Clock()
    with pytest.raises(CommandTimeout):
        pool.run(sshd.target(), sh("while :; do echo tick; sleep 0.05; done"), deadline_s=1)

    assert clock.seconds < 1 + LATE


def test_what_was_cut_is_ended_on_the_server(sshd: Sshd, pool: Pool) -> None:
    # sshd passes no signals on for root.
    with pytest.raises(CommandTimeout):
        pool.run(sshd.target(username=USER), sh("exec sleep 4242"), deadline_s=0.5)

    end = time.monotonic() + 5
    while any("sleep 4242" in line for line in sshd.processes()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [line for line in sshd.processes() if "sleep 4242" in line]


def test_the_next_command_runs_over_a_new_connection(sshd: Sshd, pool: Pool) -> None:
    first = pool.run(sshd.target(), sh("true"))
    with pytest.raises(CommandTimeout):
        pool.run(sshd.target(), sh("exec sleep 30"), deadline_s=0.5)

    assert pool.run(sshd.target(), sh("true")).connection != first.connection


def test_a_command_whose_child_holds_its_output_is_told_apart(sshd: Sshd, pool: Pool) -> None:
    with pytest.raises(CommandTimeout, match="kept its output open") as caught:
        pool.run(sshd.target(), sh("echo done; sleep 30 & exit 0"), deadline_s=1)

    assert caught.value.reason == "output_held_open"


def test_a_command_that_takes_no_input_is_cut(sshd: Sshd, pool: Pool) -> None:
    clock = Clock()
    with pytest.raises(CommandTimeout):
        pool.run(sshd.target(), sh("exec sleep 30", bytes(8 * 1024 * 1024)), deadline_s=1)

    assert clock.seconds < 1 + LATE


def test_a_server_frozen_midway_is_left_at_the_deadline(sshd: Sshd, pool: Pool) -> None:
    pool.run(sshd.target(), sh("true"))
    freezer = freeze_at_command(sshd, 2)
    clock = Clock()
    with pytest.raises(SshError) as caught:
        pool.run(sshd.target(), sh("sleep 30"), deadline_s=1.5)

    freezer.join()
    assert clock.seconds < 2.5 + LATE
    assert caught.value.started


def test_a_server_frozen_while_taking_a_large_input_is_left_at_the_deadline(sshd: Sshd, pool: Pool) -> None:
    pool.run(sshd.target(), sh("true"))
    freezer = freeze_at_command(sshd, 2)
    clock = Clock()
    with pytest.raises(SshError):
        pool.run(sshd.target(), sh("cat >/dev/null", bytes(512 * 1024 * 1024)), deadline_s=1.5)

    freezer.join()
    assert clock.seconds < 2.5 + LATE


def test_a_frozen_server_behind_an_open_connection_is_left_at_the_deadline(sshd: Sshd) -> None:
    pool = Pool(timeouts=Timeouts(connect_s=1, banner_s=1, auth_s=1, open_s=1, reopen_s=0.5))
    pool.run(sshd.target(), sh("true"))
    sshd.freeze()

    clock = Clock()
    with pytest.raises((Unreachable, ConnectionLost)) as caught:
        pool.run(sshd.target(), sh("true"), deadline_s=5)

    assert clock.seconds < 2.5 + LATE
    assert not caught.value.started
    pool.close()


def test_connecting_counts_towards_the_deadline(sshd: Sshd, pool: Pool) -> None:
    target = sshd.target()
    with listeners.listener(listeners.silent) as (address, port):
        clock = Clock()
        with pytest.raises(Unreachable):
            pool.run(
                sshd.target(address=address, port=port, host_keys=target.host_keys),
                sh("true"),
                deadline_s=0.5,
            )

    assert clock.seconds < 0.5 + LATE


def test_waiting_for_a_turn_counts_towards_the_deadline(sshd: Sshd) -> None:
    pool = Pool(channels_per_server=1)
    pool.run(sshd.target(), sh("true"))
    other = threading.Thread(target=lambda: pool.run(sshd.target(), sh("sleep 4")))
    other.start()
    sshd.wait_for_commands(2)

    clock = Clock()
    with pytest.raises(ServerBusy) as caught:
        pool.run(sshd.target(), sh("true"), deadline_s=0.5)

    assert clock.seconds < 0.5 + LATE
    assert not caught.value.started
    other.join()
    pool.close()
