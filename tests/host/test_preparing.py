"""Making a server ready, and leaving it again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from networks.host.grammar import Bridge, HostPlan, KeepBridge
from tests.host.rig import Server, run

pytestmark = pytest.mark.netns
VZCTL_4 = "vzctl version 4.11.1"


def files(server: Server) -> dict[str, str]:
    found = (*(server.root / "sys").rglob("*"), *(server.root / "lib").rglob("*"))
    return {str(path): path.read_text() for path in found if path.is_file()}


@pytest.mark.parametrize("init", ["sysv", "systemd"])
def test_it_can_be_repeated_and_leaves_nothing(server: Server, init: str) -> None:
    systemd = server.root / "systemd"
    if init == "systemd":
        systemd.mkdir()
    vznet = server.root / "sys/etc/vz/vznet.conf"
    vznet.parent.mkdir(parents=True)
    vznet.write_text("# mine\n")
    env = {"VNP_SYSTEMD": str(systemd), "VNP_VZCTL": VZCTL_4}
    first = server.call("prepare", check=True, **env)
    assert first.answer.get("init") == init and first.answer.get("hook") == "ours"
    assert str(vznet) in first.answer.get("wrote")
    older = server.root / "lib/transaction-0123456789abcdef.sh"
    older.write_text("an older version\n")
    server.call("prepare", check=True, **env)
    assert not older.exists()
    there = files(server)
    assert "EXTERNAL_SCRIPT=" in there[str(vznet)] and there[str(vznet)].startswith("# mine\n")
    again = server.call("prepare", check=True, **env)
    assert again.answer.get("wrote") == "" and files(server) == there
    program = server.root / "lib/transaction"
    assert program.read_text().rstrip("\n") == server.script.read_text().rstrip("\n")
    for path in there:
        if path.endswith((".d/vnetpanel-net", "transaction", "hook")):
            assert subprocess.run(["sh", "-n", path]).returncode == 0 and os.access(path, os.X_OK)
    assert server.apply("t", HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))).state == "committed"
    moved = server.state()
    assert "link vn-c UP" in moved
    assert server.call("forget", check=True).state == "forgotten"
    assert vznet.read_text() == "# mine\n"
    assert list(files(server)) == [str(vznet)] and server.state() == moved


def test_the_sysv_script_replays_the_committed_state(server: Server) -> None:
    server.call("prepare", check=True, VNP_SYSTEMD="/nowhere")
    assert server.apply("t", HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))).state == "committed"
    server.reboot()
    env = os.environ | server.environment()
    init = server.root / "sys/etc/init.d/vnetpanel-net"
    argv = ("ip", "netns", "exec", server.ns("s"), str(init), "start")
    done = subprocess.run(argv, env=env, capture_output=True, text=True)
    assert done.returncode == 0 and "state=applied" in done.stdout
    assert "link vn-c UP" in server.state()


def test_a_foreign_start_hook_is_reported_and_left(server: Server) -> None:
    vznet = server.root / "sys/etc/vz/vznet.conf"
    vznet.parent.mkdir(parents=True)
    vznet.write_text('EXTERNAL_SCRIPT="/usr/sbin/vznetaddbr"\n')
    answer = server.call("prepare", check=True, VNP_SYSTEMD="/nowhere", VNP_VZCTL=VZCTL_4).answer
    assert answer.get("hook") == "foreign" and [note.code for note in answer.warnings] == ["foreign-hook"]
    assert vznet.read_text() == 'EXTERNAL_SCRIPT="/usr/sbin/vznetaddbr"\n'


def test_newer_vzctl_gets_no_hook(server: Server) -> None:
    (server.root / "sys/etc/vz").mkdir(parents=True)
    version = "vzctl version 7.0.240"
    answer = server.call("prepare", check=True, VNP_SYSTEMD="/nowhere", VNP_VZCTL=version).answer
    assert answer.get("hook") == "unneeded" and not (server.root / "sys/etc/vz/vznet.conf").exists()


def test_nothing_is_forgotten_while_a_change_is_undecided(server: Server, move: HostPlan) -> None:
    server.apply("t", move)
    assert server.call("forget").code == 75
    server.call("abort", "t", check=True)


HOOKED = {
    "in its conf": ('NETIF="ifname=eth0,bridge=vn-a,mac=00:18:51:00:00:01,host_ifname=veth101.0"', "vn-a"),
    "the second": ('NETIF="ifname=eth0,host_ifname=v;bridge=vn-b,host_ifname=veth101.0"', "vn-b"),
    "the last line counts": ('NETIF="bridge=vn-b,host_ifname=veth101.0"\nNETIF="host_ifname=veth101.0"', ""),
    "no bridge": ('NETIF="ifname=eth0,host_ifname=veth101.0"', ""),
    "not yet configured": ('NETIF=""', ""),
    "no line at all": ("", ""),
    "in no network": ('NETIF="bridge=vn-none,host_ifname=veth101.0"', ""),
    "a bridge that is missing": ('NETIF="bridge=vn-gone,host_ifname=veth101.0"', ""),
    "a name with teeth": ('NETIF="bridge=$(touch hooked),host_ifname=veth101.0"', ""),
    "not a bridge": ('NETIF="bridge=eth0,host_ifname=veth101.0"', ""),
}


@pytest.mark.parametrize("shell", ["dash", "busybox sh", "bash --posix"])
def test_the_start_hook_joins_what_the_conf_says_and_never_fails(server: Server, shell: str) -> None:
    conf = server.root / "conf"
    conf.mkdir()
    server.batch("link add vn-a type bridge\nlink add vn-b type bridge\nlink add vmbr0 type bridge")
    hook = Path("networks/host/vznet-hook.sh").absolute()
    env = os.environ | {"VEID": "101", "VNP_CONF": str(conf), "VNP_RUN": str(server.run_dir)}
    argv = ("ip", "netns", "exec", server.ns("s"), *shell.split(), str(hook), "init", "veth", "veth101.0")

    def starts() -> str:
        done = subprocess.run(argv, env=env, cwd=server.root, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        words = server.run("ip", "-o", "link", "show", "veth101.0").split()
        assert "UP" in words[2]
        return words[words.index("master") + 1] if "master" in words else ""

    for name, (line, bridge) in HOOKED.items():
        server.batch("link add veth101.0 type veth peer name inside")
        (conf / "101.conf").write_text(f'ONBOOT="yes"\n{line}\nNAME="a "b" $(touch hooked)"\n')
        assert starts() == bridge, name
        server.batch("link del veth101.0")
    assert not (server.root / "hooked").exists()

    (conf / "101.conf").write_text(HOOKED["in its conf"][0])
    server.batch("link add veth101.0 type veth peer name inside\nlink set veth101.0 master vn-b")
    assert starts() == "vn-b", "what is in a bridge stays there"
    server.batch("link set veth101.0 nomaster")
    (server.run_dir / "following").write_text(f"{os.getpid()} 101\n")
    assert starts() == "", "the panel itself is changing the conf"
    (server.run_dir / "following").write_text("1999999999 101\n")
    assert starts() == "vn-a", "it died meanwhile"
    env["VEID"] = "999"
    run("ip", "-n", server.ns("s"), "link", "set", "veth101.0", "nomaster")
    assert starts() == "", "no such conf"


def test_a_transaction_that_begins_keeps_its_files_from_being_forgotten(server: Server) -> None:
    """Without its snapshot nothing could be taken back."""
    lock = server.run_dir / "transaction.lock"
    (server.run_dir / "txn").mkdir()
    with subprocess.Popen(("flock", str(lock), "sleep", "20")) as beginning:
        while not lock.exists() or run("flock", "-n", str(lock), "true", check=False).returncode == 0:
            assert beginning.poll() is None
        assert server.call("forget").code == 75
        beginning.kill()
    assert (server.run_dir / "txn").exists()
