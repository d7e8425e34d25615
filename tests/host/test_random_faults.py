"""One to three faults drawn at random around a move: the server is always whole, and all agree on which way.

What is broken before the snapshot or after the end is outside the transaction and not its to mend, so a fault
strikes only in between: with the decision's lock in hand, so that the end cannot come meanwhile.

`VNP_TEST_RANDOM` runs per server; the seed is printed and can be given as `VNP_TEST_SEED`.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from networks.host.grammar import Bridge, HostPlan, KeepBridge
from tests.host import rig
from tests.host.rig import Server

pytestmark = pytest.mark.netns
RUNS = int(os.environ.get("VNP_TEST_RANDOM", "4"))
SERVERS = 3
BATCH_LINES = 20
PLANS = {br: HostPlan((Bridge(br, "eth0"),), (KeepBridge(br, "eth0"),)) for br in ("vn-a", "vn-b")}


def kill(server: Server, txid: str, role: str) -> None:
    journal = server.run_dir / "txn" / txid / "journal"
    lines = journal.read_text().splitlines() if journal.exists() else []
    for line in lines:
        if line.startswith(f"{role} "):
            try:
                os.kill(int(line.split()[1]), 9)
            except ProcessLookupError:
                return


def cable(server: Server, seconds: float) -> None:
    server.batch("link set p1 nomaster", "w")
    threading.Timer(seconds, server.batch, ("link set p1 master sw", "w")).start()


def strike(server: Server, txid: str, fault: Callable[[], None]) -> None:
    with (server.run_dir / "decide.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        journal = server.run_dir / "txn" / txid / "journal"
        lines = journal.read_text().splitlines() if journal.exists() else []
        state = [line for line in lines if line.startswith("state ")][-1:]
        # Killed right after its rename, a confirmation leaves "applied" in the journal: it is over.
        committed = f"txid {txid}\n" in server.committed
        if not committed and state in (["state preparing"], ["state applying"], ["state applied"]):
            fault()


def broken(server: Server, words: str) -> None:
    server.run("sh", "-c", f"ip {words} 2>/dev/null; :")


def draw_fault(dice: random.Random, server: Server, txid: str, bridge: str) -> tuple[str, Callable[[], None]]:
    seconds = dice.uniform(0.2, 3)
    return dice.choice(
        [
            ("kill the worker", lambda: kill(server, txid, "worker")),
            ("kill the dead-man", lambda: kill(server, txid, "deadman")),
            (f"cable out {seconds:.1f} s", lambda: cable(server, seconds)),
            ("default route deleted", lambda: broken(server, f"route del default dev {bridge}")),
            ("address deleted", lambda: broken(server, f"addr del 10.77.0.11/24 dev {bridge}")),
            ("NIC taken out", lambda: broken(server, "link set eth0 nomaster")),
            ("NIC down", lambda: broken(server, "link set eth0 down")),
            ("proxies deleted", lambda: broken(server, f"neigh del proxy 10.77.0.101 dev {bridge}")),
        ]
    )


def draw_crash(dice: random.Random) -> dict[str, str]:
    chance = dice.random()
    if chance < 0.15:
        return {"VNP_BAD_LINE": str(dice.randint(1, BATCH_LINES))}
    if chance < 0.4:
        return {"VNP_CRASH": f"critical:{dice.randint(0, BATCH_LINES)}"}
    return {}


def one_run(server: Server, dice: random.Random, n: int) -> str:
    """Applies, breaks, tries to confirm; returns what came of it."""
    txid = f"r{n}"
    bridge = "vn-b" if "keep bridge vn-a" in server.committed else "vn-a"
    server.call("recover")
    base, before = server.state(), server.committed
    faults = [draw_fault(dice, server, txid, bridge) for _ in range(dice.randint(0, 2))]
    crash = draw_crash(dice)
    story = f"{crash} {[name for name, _ in faults]}"
    timers = [threading.Timer(dice.uniform(0.3, 2.5), strike, (server, txid, fault)) for _, fault in faults]
    for timer in timers:
        timer.start()
    server.apply(txid, PLANS[bridge], seconds=3, **crash)
    end = {} if dice.random() < 0.7 else {"VNP_CRASH": dice.choice(["before-rename", "after-rename"])}
    if server.call("confirm", txid, "1", "10.78.0.254 1 10.77.0.11 22").code == 0:
        time.sleep(0.25)
        server.call("confirm", txid, "2", "10.78.0.254 2 10.77.0.11 22", **end)
    for timer in timers:
        timer.join()
    deadline = time.monotonic() + 60
    while True:
        state = server.call("status", txid).state
        if state in ("committed", "rolledback", "none"):
            break
        assert time.monotonic() < deadline, f"{story}: {state}\n{server.log(txid)}"
        server.call("recover")
        time.sleep(0.3)
    server.quiet()
    time.sleep(1)  # a cable may still be out
    assert server.call("status").answer.get("pending") == "", story
    if state == "committed":
        assert f"txid {txid}\n" in server.committed, story
        assert server.call("plan", stdin=PLANS[bridge].render()).answer.get("empty") == "yes", story
        assert server.reaches("10.77.0.11", tries=6), story
    else:
        assert server.committed == before, story
        # One that was deleted while the change waited went with its container.
        gone = "proxy-4 10.77.0.101 " if "proxies deleted" in story else "none"
        was, now = (
            [line for line in text.splitlines() if not line.startswith(gone)]
            for text in (base, server.state())
        )
        assert now == was, f"{story}\n{server.log(txid)}"
    return state


def share(seed: int) -> list[str]:
    dice = random.Random(seed)  # noqa: S311 (which faults, no secret)
    with rig.server() as server:
        server.noisy = True
        return [one_run(server, dice, n) for n in range(RUNS)]


@pytest.mark.timeout(1500)
def test_random_faults_leave_the_server_whole() -> None:
    seed = int(os.environ.get("VNP_TEST_SEED") or random.SystemRandom().randrange(1 << 30))
    print(f"seed {seed}")
    with ThreadPoolExecutor(SERVERS) as pool:
        ends = [end for part in pool.map(share, range(seed, seed + SERVERS)) for end in part]
    counts = {end: ends.count(end) for end in sorted(set(ends))}
    print(f"{len(ends)} runs: {counts}")
    assert len(ends) == RUNS * SERVERS
