"""A server that runs for years keeps no trace of changes that ended long ago in its memory."""

from __future__ import annotations

import os
import time

import pytest

from networks.host.grammar import Bridge, HostPlan, KeepBridge
from tests.host import rig
from tests.host.vz_server import CTID, vz_server

pytestmark = pytest.mark.netns


@pytest.mark.parametrize("shell", [("dash",), ("busybox", "sh")], ids=" ".join)
def test_what_ended_long_ago_does_not_fill_the_memory_of_the_server(shell: tuple[str, ...]) -> None:
    local = HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))
    with rig.server(shell) as server:
        for txid in ("old", "new"):
            assert server.apply(txid, local).state == "committed"
        killed = server.run_dir / "plan.123"
        killed.mkdir()
        for path in (server.run_dir / "txn/old", killed):
            os.utime(path, (time.time() - 8 * 86400,) * 2)
        assert server.call("recover", check=True).state == "clean"
        assert [path.name for path in server.run_dir.glob("txn/*")] == ["new"] and not killed.exists()
        assert server.call("status", "new").state == "committed"
        assert server.call("recover", check=True).state == "clean"


def test_a_container_joins_its_bridge_though_whoever_told_vzctl_of_it_was_killed() -> None:
    """Another process is called as that one was, by its number."""
    with vz_server("4") as vz:
        vz.commit("t")
        host = vz.create(CTID, "vn-a")
        (vz.server.run_dir / "following").write_text(f"{os.getpid()} {CTID}\n")
        vz("start", CTID)
        assert vz.master(host) == "", "it would be told to keep off"
        vz.server.call("recover", check=True)
        vz("restart", CTID)
        assert vz.master(host) == "vn-a"
