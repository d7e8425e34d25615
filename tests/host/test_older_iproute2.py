"""iproute2 before 4.18 ends with the first list of a batch of questions: there each of them is asked apart.

VNP_TEST_IP names a genuine old `ip` to try instead of the one that only behaves so.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from networks.host.grammar import HostPlan
from tests.host.rig import Server, run
from tests.host.test_moving_the_nic import BACK, commit

pytestmark = pytest.mark.netns

IP = Path(shutil.which("ip") or "/usr/sbin/ip").resolve()
# Measured with builds of 3.10, 4.11 and 4.17: `link show` of one link exits (mended by d56c7dde in 4.18).
OLDER = """#!/bin/sh
case " $* " in
*' neigh show proxy '*) {proxies} ;;
*' -batch '*) sed '/ show/q' | {real} "$@" ;;
*) exec {real} "$@" ;;
esac
"""
KNOWS, KNOWS_NOT = '{real} "$@"', "echo 'Error: what is proxy?' >&2; exit 255"


def stand_in(server: Server, proxies: str) -> None:
    """From here on the server's `ip` is an older one; what the test itself calls stays the machine's."""
    older = server.root / "older-ip"
    if given := os.environ.get("VNP_TEST_IP"):
        shutil.copy(given, older)
        brctl = server.root / "bin" / "brctl"  # the oldest need it
        brctl.parent.mkdir()
        brctl.write_text('#!/bin/sh\nexec busybox brctl "$@"\n')
        brctl.chmod(0o755)
        server.env["VNP_PATH"] = str(brctl.parent)
    else:
        real = server.root / "real-ip"
        shutil.copy(IP, real)
        older.write_text(OLDER.format(proxies=proxies.format(real=real), real=real))
        older.chmod(0o755)
    run(*server.inside(), "mount", "--bind", str(older), str(IP))


def test_the_only_nic_moves_into_a_bridge_and_comes_back(server: Server, move: HostPlan) -> None:
    stand_in(server, KNOWS)
    before = server.state()
    commit(server, "there", move)
    # Programs of an earlier version, as the one for the boot may be, know one word in the first.
    assert [(server.run_dir / name).read_text() for name in ("tools", "lists")] == ["0\n", "1\n"]
    moved = server.state()
    for words in (
        "addr vn-a inet 10.77.0.12/24 scope global secondary vn-a:1",
        "route-6 default via fd77::1 dev vn-a metric 512",
        "proxy-4 10.77.0.101 dev vn-a",
        "proxy-6 fd77::101 dev vn-a",
    ):
        assert words in moved, words
    assert "addr eth0" not in moved and server.reaches("10.77.0.11") and server.reaches("fd77::10")
    commit(server, "back", BACK)
    assert server.call("follow", "-").state == "agrees"
    assert server.state() == before


def test_what_was_moved_is_taken_back(server: Server, move: HostPlan) -> None:
    stand_in(server, KNOWS)
    before = server.state()
    assert server.apply("one", move).state == "applied", server.log("one")
    assert server.call("abort", "one", check=True).state == "rolledback"
    server.quiet()
    assert server.state() == before


def test_proxied_neighbours_that_ip_does_not_know_of_are_the_kernels_own_list(
    server: Server, move: HostPlan
) -> None:
    server.batch("neigh del proxy fd77::101 dev eth0")  # nothing lists these
    stand_in(server, KNOWS_NOT)
    commit(server, "there", move)
    assert "10.77.0.101 dev vn-a" in run("ip", "-n", server.ns("s"), "neigh", "show", "proxy").stdout


def test_an_ip_that_fails_is_no_empty_answer(server: Server, move: HostPlan) -> None:
    stand_in(server, KNOWS)
    assert server.plan(move).code == 0
    broken = server.root / "older-ip"
    broken.write_text(broken.read_text().replace("case", "case $* in *route*) exit 1 ;; esac\ncase", 1))
    planned = server.plan(move)
    assert planned.code != 0 and "did not answer in full" in planned.raw
