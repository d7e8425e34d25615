"""Running a command: what goes in, what comes out, and exactly one exec for it."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from nodes.commands import Command
from nodes.ssh import Limits, Pool, run
from nodes.ssh.errors import CommandRefused, ConnectionLost, OutputTooLarge
from nodes.ssh.run import _Wake
from tests.ssh.conftest import StartSshd
from tests.sshd import USER, Sshd

MIB = 1024 * 1024


def sh(script: str, stdin: bytes = b"", *words: str) -> Command:
    return Command(("sh", "-c", script, "sh", *words), stdin)


def test_it_brings_status_and_both_outputs(sshd: Sshd, pool: Pool) -> None:
    completed = pool.run(sshd.target(), sh("echo out; echo err >&2; exit 3"))

    assert (completed.exit_status, completed.stdout, completed.stderr) == (3, b"out\n", b"err\n")
    assert not completed.ok
    assert completed.seconds > 0


def test_a_run_is_one_exec_over_one_session(sshd: Sshd, pool: Pool) -> None:
    for number in range(1, 4):
        pool.run(sshd.target(), sh("cat", b"input"))

        assert (sshd.commands, sshd.sessions) == (number, number)
    assert (sshd.connections, sshd.logins) == (1, 1)


def test_the_command_reads_its_input_to_the_end(sshd: Sshd, pool: Pool) -> None:
    assert pool.run(sshd.target(), sh("cat; echo end", b"a\0b\xff\n")).stdout == b"a\0b\xff\nend\n"
    assert pool.run(sshd.target(), sh("cat; echo end")).stdout == b"end\n"


def test_large_input_and_output_at_once_do_not_block_each_other(sshd: Sshd, pool: Pool) -> None:
    data = os.urandom(8 * MIB)

    completed = pool.run(
        sshd.target(), sh("tee /dev/stderr", data), limits=Limits(stdout=9 * MIB, stderr=9 * MIB)
    )

    assert completed.stdout == data
    assert hashlib.sha256(completed.stderr).digest() == hashlib.sha256(data).digest()


def test_it_neither_asks_again_and_again_nor_wakes_for_each_piece(
    start_sshd: StartSshd, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by profiling: with fifty servers busy, a third of a command's cost was waking up for nothing."""
    slow = start_sshd('ForceCommand sleep 0.3; $SHELL -c "$SSH_ORIGINAL_COMMAND"')
    looked = []
    drain = run._Exchange._drain
    monkeypatch.setattr(run._Exchange, "_drain", lambda self: looked.append(1) or drain(self))
    pieces = "cat; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i; sleep 0.01; done"

    completed = pool.run(slow.target(), sh(pieces, b"input\n"))

    assert completed.stdout.split() == [b"input", *(b"%d" % number for number in range(1, 13))]
    assert len(looked) <= 6


def test_a_command_that_reads_nothing_of_a_large_input_still_answers(sshd: Sshd, pool: Pool) -> None:
    completed = pool.run(sshd.target(), sh("echo done; exit 4", bytes(8 * MIB)))

    assert (completed.exit_status, completed.stdout) == (4, b"done\n")


def test_a_command_that_closes_its_output_early_still_gets_its_input(sshd: Sshd, pool: Pool) -> None:
    script = "exec >&- 2>&-; sleep 0.2; cat > /root/got"

    assert pool.run(sshd.target(), sh(script, bytes(3 * MIB))).ok
    assert (sshd.home / "got").stat().st_size == 3 * MIB


def test_a_command_ended_by_a_signal_has_status_minus_one(sshd: Sshd, pool: Pool) -> None:
    completed = pool.run(sshd.target(), sh("echo out; kill -9 $$"))

    # The login shell may run the command as its child and report 128 + 9 in its place.
    assert completed.exit_status in (-1, 137)
    assert completed.stdout == b"out\n"


def test_invalid_text_comes_back_as_it_is(sshd: Sshd, pool: Pool) -> None:
    noise = b"\xff\xfe \x1b[31m <script>\r\n\0"

    assert pool.run(sshd.target(), sh("cat", noise)).stdout == noise


@pytest.mark.parametrize(
    "word",
    [
        "",
        " ",
        "it's",
        '"',
        "$(touch /root/made)",
        "`touch /root/made`",
        "; touch /root/made",
        "a\nb",
        "*",
        "\\",
        "é€ü",
        "-n",
        "!!",
    ],
)
def test_no_word_of_a_command_becomes_shell(sshd: Sshd, pool: Pool, word: str) -> None:
    completed = pool.run(sshd.target(), Command(("printf", "%s|", word, "end")))

    assert completed.stdout == f"{word}|end|".encode()
    assert not (sshd.home / "made").exists()


def test_anything_with_argv_and_stdin_can_be_run(sshd: Sshd, pool: Pool) -> None:
    @dataclass(frozen=True)
    class Other:
        argv: tuple[str, ...] = ("cat",)
        stdin: bytes = b"hello"

    assert pool.run(sshd.target(), Other()).stdout == b"hello"


def test_output_up_to_the_limit_is_taken(sshd: Sshd, pool: Pool) -> None:
    completed = pool.run(sshd.target(), sh("head -c 1000 /dev/zero"), limits=Limits(stdout=1000))

    assert len(completed.stdout) == 1000


@pytest.mark.parametrize(
    ("script", "stream", "limit"),
    [
        ("head -c 10485760 /dev/zero", "stdout", 2 * MIB),
        ("yes", "stdout", 2 * MIB),
        ("yes >&2", "stderr", 64 * 1024),
    ],
)
def test_output_above_the_limit_is_cut(sshd: Sshd, pool: Pool, script: str, stream: str, limit: int) -> None:
    with pytest.raises(OutputTooLarge, match=rf"more than {limit // 1024} KiB \({stream}\)") as caught:
        pool.run(sshd.target(), sh(script))

    assert (caught.value.stream, caught.value.limit) == (stream, limit)
    assert caught.value.started
    assert not caught.value.retryable
    # The next one is not harmed.
    assert pool.run(sshd.target(), sh("echo ok")).stdout == b"ok\n"


@pytest.mark.parametrize(
    "script", ["head -c 100000 /dev/zero >&2; sleep 30", "head -c 100000 /dev/zero; sleep 30"]
)
def test_a_command_that_prints_too_much_is_cut_while_it_runs(sshd: Sshd, pool: Pool, script: str) -> None:
    """Found in review: pieces were left to gather, and it ran on until its deadline."""
    started = time.monotonic()
    with pytest.raises(OutputTooLarge):
        pool.run(sshd.target(), sh(script), deadline_s=25, limits=Limits(stdout=64 * 1024))
    assert time.monotonic() - started < 20


def test_it_is_cut_whatever_a_slow_reader_had_just_read(
    sshd: Sshd, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found in CI: what had just been read did not count, so that as much again was left to gather."""
    reset = _Wake.reset

    def slowly(wake: _Wake) -> None:
        time.sleep(1)
        reset(wake)

    monkeypatch.setattr(_Wake, "reset", slowly)
    script = "echo >&2; sleep 0.3; head -c 65536 /dev/zero; sleep 4; head -c 30000 /dev/zero; sleep 30"
    started = time.monotonic()
    with pytest.raises(OutputTooLarge):
        pool.run(sshd.target(), sh(script), deadline_s=25, limits=Limits(stdout=64 * 1024))
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("script", ["head -c 100000 /dev/zero >&2", "head -c 2300000 /dev/zero"])
def test_too_much_of_one_command_does_not_break_the_connection_of_another(
    sshd: Sshd, pool: Pool, script: str
) -> None:
    """Found in review: a word about a session that had ended made the server hang up."""
    pool.run(sshd.target(), sh("true"))
    for _ in range(8):
        fine: list[bytes] = []
        command = sh("sleep 0.5; echo fine")
        neighbour = threading.Thread(
            target=lambda: fine.append(pool.run(sshd.target(), command).stdout)  # noqa: B023
        )
        neighbour.start()
        with pytest.raises(OutputTooLarge):
            pool.run(sshd.target(), sh(script))
        neighbour.join()
        assert fine == [b"fine\n"]


def test_a_user_whose_command_is_forced_gets_that_one(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd('ForceCommand printf "%s" "$SSH_ORIGINAL_COMMAND"')

    assert pool.run(sshd.target(), Command(("apply", "a b"))).stdout == b"apply 'a b'"


def test_a_user_without_a_shell_fails_with_the_servers_words(sshd: Sshd, pool: Pool) -> None:
    completed = pool.run(sshd.target(username="nobody"), sh("true"))

    assert not completed.ok
    assert b"This account is currently not available" in completed.stdout + completed.stderr


def test_a_server_that_opens_no_session_is_told_so(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd("MaxSessions 0")

    with pytest.raises(CommandRefused, match="MaxSessions") as caught:
        pool.run(sshd.target(), sh("true"))

    assert caught.value.reason == "session_refused"
    assert not caught.value.started
    with pytest.raises(CommandRefused):
        pool.run(sshd.target(), sh("true"), fresh=True)


def test_a_server_killed_midway_is_a_lost_connection(sshd: Sshd, pool: Pool) -> None:
    def kill() -> None:
        sshd.wait_for_commands(1)
        sshd.kill_sessions()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ConnectionLost, match="while the command ran") as caught:
        pool.run(sshd.target(), sh("echo begun; sleep 30"))

    killer.join()
    assert caught.value.reason == "lost_midway"
    assert caught.value.started
    assert sshd.commands == 1, "a command that may have run is never sent again"
    assert pool.run(sshd.target(), sh("echo ok")).stdout == b"ok\n"


def test_it_runs_as_the_user_it_logged_in_as(sshd: Sshd, pool: Pool) -> None:
    assert pool.run(sshd.target(username=USER), sh("id -un")).stdout == f"{USER}\n".encode()


def test_nothing_of_this_machine_is_changed_by_the_server_of_the_tests(sshd: Sshd, pool: Pool) -> None:
    before = Path("/etc/passwd").read_bytes()

    assert b"panel" in pool.run(sshd.target(), sh("cat /etc/passwd")).stdout
    assert Path("/etc/passwd").read_bytes() == before
    assert b"vnptest" not in Path("/etc/shadow").read_bytes()
