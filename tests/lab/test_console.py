from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.errors import LabError
from lab.lab import Lab

pytestmark = pytest.mark.lab


def test_it_returns_both_outputs_and_the_exit_code(lab: Lab) -> None:
    done = lab.execute("server1", "echo out; echo err >&2; exit 7")

    assert (done.stdout, done.stderr, done.exit_code) == ("out\n", "err\n", 7)


def test_commands_run_side_by_side(lab: Lab) -> None:
    def sleep_and_say(number: int) -> str:
        return lab.check("server3", f"sleep 2; echo {number}")

    started = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(sleep_and_say, range(6))) == [f"{n}\n" for n in range(6)]
    assert time.monotonic() - started < 8


def test_it_takes_and_gives_more_than_the_line_holds(lab: Lab) -> None:
    text = "".join(f"line {number}: ünïcode\n" for number in range(2500))

    assert lab.check("server1", "cat", stdin=text) == text
    assert lab.check("server1", "uname -n") == "server1\n"


def test_a_command_that_takes_too_long_is_ended(lab: Lab) -> None:
    with pytest.raises(LabError, match="did not end within 1 s"):
        lab.execute("server1", "sleep 3217", timeout_s=1)

    assert "3217" not in lab.check("server1", "sleep 0.5; ps ax | grep '[s]leep 3217' || true")


def test_what_a_command_leaves_running_does_not_hold_it(lab: Lab) -> None:
    started = time.monotonic()
    lab.check("server2", "sleep 8 & echo left")
    assert time.monotonic() - started < 5


def test_it_says_so_when_a_server_is_not_known(lab: Lab) -> None:
    with pytest.raises(ValueError, match="no server 'server9'"):
        lab.execute("server9", "true")
