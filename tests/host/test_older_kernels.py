"""What a kernel before 4.17, and what its tools, do otherwise with bridges."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from networks.host.grammar import Bridge, HostPlan, KeepBridge, Port
from tests.host.rig import Server, run
from tests.host.test_moving_the_nic import BACK, commit

pytestmark = pytest.mark.netns


def calls_itself(server: Server, release: str) -> None:
    text = server.root / "osrelease"
    text.write_text(f"{release}\n")
    run(*server.inside(), "mount", "--bind", str(text), "/proc/sys/kernel/osrelease")


@pytest.mark.parametrize("release", ["2.6.32-042stab145.3", "3.10.0-1160.90.1.vz7.200.7", "4.16.18"])
def test_the_mtu_of_a_bridge_is_left_to_a_kernel_that_would_not_keep_it(server: Server, release: str) -> None:
    server.batch("link set eth0 mtu 9000")
    calls_itself(server, release)
    guest = server.add_guest(101, "10.77.0.101/24")
    move = HostPlan((Bridge("vn-a", "eth0"), Port(guest, "vn-a")), (KeepBridge("vn-a", "eth0"),))
    shown = server.plan(move)
    assert not any(" mtu " in command.text for command in shown.answer.commands), shown.raw
    commit(server, "there", move)
    assert "link vn-a UP mtu 1500" in server.state(), "the smallest of its ports"
    assert server.plan(move).answer.get("empty") == "yes" and not server.plan(move).answer.is_guarded
    commit(server, "away", BACK)
    assert "link eth0 UP mtu 9000" in server.state()


@pytest.mark.parametrize("release", ["4.17.0", "6.1.0-42-amd64"])
def test_a_newer_one_is_told(server: Server, move: HostPlan, release: str) -> None:
    server.batch("link set eth0 mtu 9000")
    calls_itself(server, release)
    assert [c.text for c in server.plan(move).answer.commands if " mtu " in c.text] == [
        "ip link set dev vn-a mtu 8999",
        "ip link set dev vn-a mtu 9000",
    ]


@pytest.mark.parametrize("shell", ["dash", "busybox sh", "bash"])
@pytest.mark.parametrize("knows", [False, True])
def test_tags_are_filtered_only_where_frames_without_one_have_a_vlan(
    server: Server, shell: str, knows: bool
) -> None:
    bridge = server.root / "bridge"
    bridge.mkdir()
    (bridge / "vlan_filtering").write_text("0\n")
    if knows:
        (bridge / "default_pvid").write_text("1\n")
    script = server.script.read_text().rpartition('main "$@"')[0]
    part = server.root / "part.sh"
    part.write_text(f"{script}\nrun_commands <<'E'\nprologue echo 1 >{bridge}/vlan_filtering\nE\n")
    run(*shell.split(), str(part))
    assert (bridge / "vlan_filtering").read_text() == f"{int(knows)}\n"


SYNC = """#!/bin/sh
[ "$1" != --help ] || {{ echo 'Usage: sync [OPTION]'; exit; }}
echo "$*" >>{log}
"""


def test_a_sync_that_knows_no_files_is_not_asked_to_wait_for_all_disks(
    server: Server, move: HostPlan
) -> None:
    sync, log = server.root / "older-sync", server.root / "synced"
    sync.write_text(SYNC.format(log=log))
    sync.chmod(0o755)
    run(*server.inside(), "mount", "--bind", str(sync), str(Path(shutil.which("sync") or "").resolve()))
    commit(server, "there", move)
    assert server.committed.startswith("vnetpanel-committed 1\ntxid there\n") and not log.exists()


NMCLI = """#!/bin/sh
[ "$*" = "-t -f DEVICE,STATE dev" ] && printf 'eth0:%s\\nlo:unmanaged\\n' '{state}'
"""


@pytest.mark.parametrize(
    ("state", "refused"),
    [("connected", True), ("disconnected", True), ("unavailable", True), ("unmanaged", False)],
)
def test_an_older_networkmanager_is_asked_by_its_own_tool(
    server: Server, move: HostPlan, state: str, refused: bool
) -> None:
    run(*server.inside(), "mount", "-t", "tmpfs", "none", "/run")
    server.run("mkdir", "/run/NetworkManager")
    tool = server.root / "bin" / "nmcli"
    tool.parent.mkdir()
    tool.write_text(NMCLI.format(state=state))
    tool.chmod(0o755)
    server.env["VNP_PATH"] = str(tool.parent)
    codes = {note.code for note in server.plan(move).answer.refusals}
    assert ("networkmanager" in codes) == refused
    asked = server.env.pop("VNP_PATH")
    commit(server, "there", move)
    server.env["VNP_PATH"] = asked
    again = server.plan(move).answer
    assert not again.refusals and ("networkmanager" in {w.code for w in again.warnings}) == refused
    # A newer one leaves files, which say it without a process.
    server.run("mkdir", "/run/NetworkManager/devices")
    assert "networkmanager" not in {note.code for note in server.plan(move).answer.refusals}
