"""Whatever is broken at whatever moment, the server ends whole in the old or the new state.

The oracle is equality of the whole network state in canonical words, not that a ping works.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from networks.host.grammar import Bridge, HostPlan, KeepBridge, Port, RemoveBridge
from tests.host.rig import Server

pytestmark = pytest.mark.netns

LINES = 20
"""`ip` commands in the critical batch of the rig's server; its learnt neighbours come on top."""
PARTS = 4


def critical_lines(server: Server, move: HostPlan) -> int:
    commands = [command for command in server.plan(move).answer.commands if command.phase == "critical"]
    return len([command for command in commands if command.text.startswith("ip ")])


@pytest.mark.parametrize("part", range(PARTS))
def test_an_error_at_every_line_of_the_batch_is_taken_back_at_once(
    server: Server, move: HostPlan, part: int
) -> None:
    before = server.state()
    lines = critical_lines(server, move)
    assert lines >= LINES
    for k in range(1 + part, lines + 1, PARTS):
        started = time.monotonic()
        done = server.apply(f"line{k}", move, VNP_BAD_LINE=str(k))
        assert (done.code, done.state) == (76, "rolledback"), (k, done.raw)
        assert time.monotonic() - started < 5
        server.quiet()
        assert server.state() == before, k
        assert server.committed == ""
    assert server.reaches("10.77.0.11") and server.reaches("fd77::10")


@pytest.mark.parametrize("part", range(PARTS))
def test_sigkill_after_every_line_of_the_batch_is_taken_back(
    server: Server, move: HostPlan, part: int
) -> None:
    before = server.state()
    for k in range(part, critical_lines(server, move) + 1, PARTS):
        done = server.apply(f"kill{k}", move, VNP_CRASH=f"critical:{k}")
        assert (done.code, done.state) == (76, "rolledback"), (k, done.raw)
        assert done.answer.get("reason") == "worker-lost"
        server.quiet()
        assert server.state() == before, k
    assert server.reaches("10.77.0.11")


@pytest.mark.parametrize("point", ["worker", "before-prologue", "before-verify", "before-epilogue"])
def test_sigkill_between_the_phases_is_taken_back(server: Server, move: HostPlan, point: str) -> None:
    before = server.state()
    done = server.apply("t", move, VNP_CRASH=point)
    if point == "before-epilogue":  # this change has none: it goes through
        assert done.state == "applied"
        server.call("abort", "t", check=True)
    else:
        assert done.code == 76, done.raw
    server.quiet()
    assert server.state() == before


def test_a_client_that_dies_before_anything_began_leaves_nothing(server: Server, move: HostPlan) -> None:
    before = server.state()
    digest = server.plan(move).answer.digest
    assert server.call("apply", "t", "15", digest, stdin=move.render(), VNP_CRASH="prepared").code == -9
    assert server.call("apply", "u", "15", digest, stdin=move.render()).code == 75
    assert server.call("recover").state == "rolledback"
    assert server.state() == before
    assert server.apply("u", move).state == "applied"
    server.call("abort", "u", check=True)


def test_nobody_confirms_and_the_server_takes_it_back(server: Server, move: HostPlan) -> None:
    before = server.state()
    started = time.monotonic()
    assert server.apply("t", move, seconds=3).state == "applied"
    assert server.wait_for("t", "rolledback") == "rolledback"
    assert time.monotonic() - started < 3 + 5
    assert server.call("status", "t").answer.get("reason") == "timeout"
    server.quiet()
    assert server.state() == before
    assert server.call("confirm", "t", "1", "10.0.0.1 1 10.0.0.2 22").code == 77


def test_watchers_rest_longer_while_the_deadline_is_far_and_still_keep_it(
    server: Server, move: HostPlan
) -> None:
    started = time.monotonic()
    assert server.apply("t", move, seconds=14, VNP_POLL="").state == "applied"
    for after, rest in ((4, "sleep 5"), (12, "sleep 1")):
        time.sleep(started + after - time.monotonic())
        for role in ("deadman", "worker"):
            assert eventually(lambda role=role, rest=rest: at_rest(pid(server, "t", role)) == rest), role
    server.wait_for("t", "rolledback", seconds=30)
    assert 13 < time.monotonic() - started < 14 + 4


def at_rest(watcher: int) -> str:
    """What a watcher waits for."""
    child = Path(f"/proc/{watcher}/task/{watcher}/children").read_text().strip()
    return Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ").strip() if child else ""


def eventually(question: Callable[[], bool]) -> bool:
    """Asked for half a second: between two rests a watcher has other children, or none."""
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        with suppress(FileNotFoundError):
            if question():
                return True
        time.sleep(0.02)
    return False


def test_extend_moves_the_deadline(server: Server, move: HostPlan) -> None:
    server.apply("t", move, seconds=3)
    assert server.call("extend", "t", "30").code == 0
    time.sleep(6)
    assert server.call("status", "t").state == "applied"
    server.call("extend", "t", "2", check=True)
    server.wait_for("t", "rolledback")
    assert server.call("extend", "t", "30").code == 77


def pid(server: Server, txid: str, role: str) -> int:
    journal = (server.run_dir / "txn" / txid / "journal").read_text()
    return next(int(line.split()[1]) for line in journal.splitlines() if line.startswith(f"{role} "))


@pytest.mark.parametrize("role", ["deadman", "worker"])
def test_one_watcher_is_killed_and_the_other_takes_it_back(server: Server, move: HostPlan, role: str) -> None:
    before = server.state()
    server.apply("t", move, seconds=3)
    os.kill(pid(server, "t", role), 9)
    server.run("ip", "route", "del", "default")
    assert server.call("recover").code == 75  # the living one decides
    server.wait_for("t", "rolledback")
    server.quiet()
    assert server.state() == before


def test_both_watchers_are_killed_and_recover_takes_it_back(server: Server, move: HostPlan) -> None:
    before = server.state()
    server.apply("t", move)
    for role in ("deadman", "worker"):
        os.kill(pid(server, "t", role), 9)
    time.sleep(1.2)  # the lock lives as long as a child of theirs
    other = server.call("apply", "u", "15", "0" * 64, stdin=move.render())
    assert other.code == 75 and "not decided" in other.answer.get("error")
    assert server.call("recover").state == "rolledback"
    assert server.state() == before
    assert server.call("recover").state == "clean"


def test_a_rollback_that_is_killed_is_finished_by_the_other_watcher(server: Server, move: HostPlan) -> None:
    before = server.state()
    server.apply("t", move, seconds=2)
    deadman = pid(server, "t", "deadman")
    end = time.monotonic() + 10
    while "state rollingback" not in (server.run_dir / "txn/t/journal").read_text():
        assert time.monotonic() < end
    os.kill(deadman, 9)
    server.wait_for("t", "rolledback")
    server.quiet()
    assert server.state() == before


@pytest.mark.parametrize(
    "what", ["route del default", "addr flush dev vn-a", "link set eth0 nomaster", "link del vn-a"]
)
def test_what_others_break_in_the_window_is_mended_by_the_rollback(
    server: Server, move: HostPlan, what: str
) -> None:
    before = server.state()
    server.apply("t", move, seconds=2)
    server.batch(what)
    server.wait_for("t", "rolledback")
    server.quiet()
    assert server.state() == before
    assert server.reaches("10.77.0.11")


def test_a_change_that_cuts_off_the_gateway_is_taken_back_at_once(server: Server, move: HostPlan) -> None:
    before = server.state()
    digest = server.plan(move).answer.digest
    server.batch("link set p1 nomaster", "w")
    started = time.monotonic()
    done = server.apply("t", move, digest=digest)
    assert (done.code, done.state) == (76, "rolledback") and "does not answer" in done.answer.get("error")
    assert time.monotonic() - started < 30
    server.batch("link set p1 master sw", "w")
    server.quiet()
    assert server.state() == before


def test_a_cable_out_for_a_moment_is_no_reason(server: Server, move: HostPlan) -> None:
    def cable() -> None:
        server.batch("link set p1 nomaster", "w")
        time.sleep(2)
        server.batch("link set p1 master sw", "w")

    digest = server.plan(move).answer.digest
    puller = threading.Thread(target=cable)
    puller.start()
    done = server.apply("t", move, digest=digest)
    puller.join()
    assert done.state == "applied", server.log("t")
    assert server.confirm("t").state == "committed"


def test_a_guest_that_joined_meanwhile_is_let_go(server: Server, move: HostPlan) -> None:
    veth = server.add_guest(101, "10.77.0.102/24")
    before = server.state()
    server.apply("t", move)
    server.batch(f"link set {veth} master vn-a")
    assert server.reaches("10.77.0.102", "r", tries=3)
    server.call("abort", "t", check=True)
    server.quiet()
    assert server.state() == before


def test_forwarding_that_a_container_was_given_meanwhile_stays_on(server: Server, move: HostPlan) -> None:
    """vzctl turns ip_forward on, for all links, with the first host-routed container after a boot."""
    server.run("sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward")
    assert server.apply("t", move).state == "applied"
    server.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    assert server.call("abort", "t").state == "rolledback"
    assert server.run("cat", "/proc/sys/net/ipv4/conf/eth0/forwarding").strip() == "1"


def test_a_permanent_neighbour_of_a_bridge_is_back_when_its_release_is_taken_back(
    server: Server, move: HostPlan
) -> None:
    server.batch("neigh replace 10.77.0.9 lladdr 02:00:00:00:00:99 nud permanent dev eth0")
    assert server.apply("there", move).state == "applied"
    server.confirm("there")
    server.quiet()
    back = HostPlan((RemoveBridge("vn-a", "eth0"),))
    assert server.apply("back", back).state == "applied", server.log("back")
    assert server.call("abort", "back").state == "rolledback"
    assert "10.77.0.9 dev vn-a lladdr 02:00:00:00:00:99 PERMANENT" in server.run("ip", "neigh", "show")


def test_two_applies_at_once_one_wins(server: Server, move: HostPlan) -> None:
    digest = server.plan(move).answer.digest
    results = []

    def apply(n: int) -> None:
        results.append(server.call("apply", f"t{n}", "15", digest, stdin=move.render()).code)

    threads = [threading.Thread(target=apply, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 75, 75, 75, 75]
    server.call("abort", server.call("status").answer.get("pending"), check=True)


def test_the_same_transaction_twice_is_reported_not_repeated(server: Server, move: HostPlan) -> None:
    assert server.apply("t", move).state == "applied"
    moved = server.state()
    assert server.call("apply", "t", "15", "0" * 64).state == "applied"
    assert server.state() == moved
    server.confirm("t")
    assert server.call("apply", "t", "15", "0" * 64).state == "committed"
    server.quiet()
    assert server.call("abort", "t").code == 77


def test_the_server_changed_since_the_review(server: Server, move: HostPlan) -> None:
    digest = server.plan(move).answer.digest
    server.run("ip", "neigh", "flush", "dev", "eth0")
    server.reaches("10.77.0.1", "s")
    assert server.plan(move).answer.digest == digest  # what neighbours are known is no part of it
    server.batch("addr add 10.77.0.13/24 dev eth0")
    before = server.state()
    done = server.apply("t", move, digest=digest)
    assert done.code == 65 and done.answer.digest != digest
    assert server.state() == before and server.call("status", "t").state == "none"


@pytest.mark.parametrize("point", ["before-rename", "after-rename"])
def test_a_confirmation_killed_around_the_rename(server: Server, move: HostPlan, point: str) -> None:
    before = server.state()
    server.apply("t", move, seconds=6)
    server.call("confirm", "t", "1", "10.78.0.254 1 10.77.0.11 22", check=True)
    time.sleep(0.25)
    died = server.call("confirm", "t", "2", "10.78.0.254 2 10.77.0.11 22", VNP_CRASH=point)
    assert died.code == -9
    state = server.wait_for("t", "committed", "rolledback")
    server.quiet()
    if point == "before-rename":
        assert state == "rolledback" and server.state() == before and server.committed == ""
    else:
        assert state == "committed" and "txid t\n" in server.committed and server.reaches("10.77.0.11")
    assert server.call("recover").state in ("clean", state)


def test_the_committed_file_cannot_be_written(server: Server, move: HostPlan) -> None:
    before = server.state()
    digest = server.plan(move).answer.digest
    etc = server.root / "etc"
    server.apply("t", move, seconds=6, digest=digest)
    server.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(etc))
    try:
        assert server.confirm("t", check=False).code == 74
        server.wait_for("t", "rolledback")
        server.quiet()
        assert server.state() == before
        refused = server.apply("u", move)
        assert refused.code == 74 and server.state() == before
        local = HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))
        assert server.apply("v", local).code == 74
    finally:
        server.run("umount", str(etc))
    assert server.state() == before


@pytest.mark.parametrize("kilobytes", range(4, 65, 12))
def test_no_space_left_in_run_is_refused_or_done_whole(
    server: Server, move: HostPlan, kilobytes: int
) -> None:
    digest = server.plan(move).answer.digest
    before = server.state()
    server.noisy = True
    server.run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(server.run_dir))
    try:
        done = server.call("apply", "t", "15", digest, stdin=move.render(), check=False)
        assert done.code in (0, 64, 65, 74, 76), done.raw
        assert not done.code or done.answer.get("error"), done.raw
        if done.code == 0:
            assert server.call("abort", "t", check=True).state == "rolledback"
        server.quiet()
        assert server.state() == before and server.committed == ""
    finally:
        server.run("umount", "-l", str(server.run_dir))


def test_a_short_change_that_fails_is_taken_back(server: Server) -> None:
    veth = server.add_guest(101, "10.77.5.1/24")
    plan = HostPlan((Bridge("vn-c"), Port(veth, "vn-c")), (KeepBridge("vn-c"),))
    before = server.state()
    failed = server.apply("t", plan, VNP_BAD_LINE="2")
    assert (failed.code, failed.state) == (76, "rolledback")
    assert server.state() == before
    for point in ("critical:1", "before-verify", "before-rename"):
        assert server.apply(f"k{point[-1]}", plan, VNP_CRASH=point).code == -9
        assert server.call("recover").state == "rolledback"
        assert server.state() == before
    assert server.apply("after", plan, VNP_CRASH="after-rename").code == -9
    assert server.call("recover").state == "committed"
    assert "txid after\n" in server.committed and f"link {veth} UP mtu 1500 master vn-c" in server.state()


def test_the_watchers_end_when_their_transaction_is_gone(server: Server, move: HostPlan) -> None:
    assert server.apply("gone", move).state == "applied"

    shutil.rmtree(server.run_dir / "txn" / "gone")

    server.quiet()


def stopped(server: Server, txid: str, role: str) -> int:
    """The process id of a watcher who has come to where he was told to stop."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        journal = server.run_dir / "txn" / txid / "journal"
        if journal.exists() and f"{role} " in journal.read_text():
            found = pid(server, txid, role)
            if Path(f"/proc/{found}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                return found
        time.sleep(0.02)
    raise AssertionError(f"{role} of {txid} has not stopped: {server.log(txid)}")


def lives(pid: int) -> bool:
    """Whether there is more of the process than what nobody has waited for yet."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


def test_a_worker_whose_roller_died_is_stopped_by_the_next_one(server: Server, move: HostPlan) -> None:
    """Found in review: he lived on, and took back at his deadline what another transaction had committed."""
    before = server.state()
    begun = threading.Thread(
        target=server.apply, args=("t", move), kwargs={"VNP_CRASH": "stop:before-verify"}
    )
    begun.start()
    worker = stopped(server, "t", "worker")
    assert server.call("abort", "t", VNP_CRASH="rolling").code == -9
    assert server.wait_for("t", "rolledback")
    begun.join()
    assert not lives(worker) and server.state() == before
    assert server.apply("u", move).state == "applied"
    assert server.confirm("u").state == "committed"
    server.quiet()
    assert "txid u\n" in server.committed and "vn-a" in server.state()


def test_a_worker_who_comes_back_after_it_was_taken_back_does_not_raise_it_again(
    server: Server, move: HostPlan
) -> None:
    begun = threading.Thread(
        target=server.apply, args=("t", move), kwargs={"VNP_CRASH": "stop:before-verify"}
    )
    begun.start()
    worker = stopped(server, "t", "worker")
    # As if whoever took it back had not found him.
    with (server.run_dir / "txn/t/journal").open("a") as journal:
        journal.write("state rolledback\n")
    os.kill(worker, signal.SIGCONT)
    begun.join()
    server.quiet()
    assert server.call("status", "t").state == "rolledback"
