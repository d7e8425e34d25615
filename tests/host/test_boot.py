"""After a reboot the committed state is there again, and nothing that was not committed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Literal

import pytest

from networks.host.grammar import Adopt, Bridge, HostPlan, KeepBridge, RemoveBridge, Save
from tests.host import rig
from tests.host.rig import Server, run
from tests.host.test_older_kernels import calls_itself
from tests.host.test_preflight import stacked
from tests.host.vz_server import CTID, vz_server

pytestmark = pytest.mark.netns


def test_the_committed_state_is_replayed(server: Server, move: HostPlan) -> None:
    both = HostPlan((*move.steps, Bridge("vn-c")), (*move.keeps, KeepBridge("vn-c")))
    assert server.apply("t", both).state == "applied"
    server.confirm("t")
    server.quiet()
    moved = without_local_mac(server)
    server.reboot()
    assert server.call("status").answer.get("committed") == "t"
    for _ in range(2):
        assert server.call("boot", check=True).state == "applied"
        assert without_local_mac(server) == moved and server.reaches("10.77.0.11")


def without_local_mac(server: Server) -> str:
    """A bridge without adapter and layer 3 has whatever address the kernel drew for it."""
    return re.sub(r"(link vn-c .* link/ether) \S+", r"\1", server.state())


def test_a_power_cut_before_the_commit_leaves_the_old_state(server: Server, move: HostPlan) -> None:
    before = server.state()
    server.apply("t", move)
    server.call("confirm", "t", "1", "10.78.0.254 1 10.77.0.11 22", check=True)
    server.reboot()
    assert server.call("boot").state == "empty"
    assert server.state() == before
    assert server.call("status", "t").state == "none"


def test_state_of_another_boot_is_known_as_such(server: Server, move: HostPlan) -> None:
    """Where /var/run is on the disk (EL6), what was pending at the power cut is still written there."""
    server.apply("t", move)
    journal = server.run_dir / "txn/t/journal"
    old = journal.read_text()
    server.reboot()
    before = server.state()
    journal.parent.mkdir(parents=True)
    boot = next(line for line in old.splitlines() if line.startswith("boot "))
    journal.write_text(old.replace(boot, "boot 00000000-0000-0000-0000-000000000000"))
    (server.run_dir / "pending").write_text("t\n")
    assert server.call("confirm", "t", "1", "10.78.0.254 1 10.77.0.11 22").code == 77
    assert server.call("recover").state == "rolledback"
    assert server.call("status").answer.get("pending") == "" and server.state() == before


def test_what_was_learnt_of_tools_is_learnt_anew_at_each_boot(server: Server) -> None:
    """So is who was telling vzctl: the start hook keeps its hands off while that process lives."""
    files = [server.run_dir / name for name in ("following", "tools", "lists", "syncs")]
    for file in files:
        file.write_text("1 101\n")
    server.call("boot", check=True)
    assert not any(file.exists() for file in files)


def test_a_missing_nic_does_not_stop_the_other_networks(server: Server, move: HostPlan) -> None:
    keeps = ("keep bridge vn-x eth9", "keep bridge vn-a eth0", "keep bridge vn-c -", "keep adopted br0 eth8")
    text = "\n".join(["vnetpanel-committed 1", "txid t", *keeps, "end"]) + "\n"
    (server.root / "etc/committed").write_text(text)
    booted = server.call("boot", VNP_WAIT="0")
    assert (booted.code, booted.state) == (76, "degraded")
    assert booted.answer.get("failed") == "vn-x br0"
    assert {note.code for note in booted.answer.refusals} == {"missing-adapter", "adopt-differs"}
    state = server.state()
    assert "addr vn-a inet 10.77.0.11/24" in state and "link vn-c UP" in state and "vn-x" not in state


def test_a_vlan_adapter_of_ours_is_not_waited_for_whatever_it_is_called(server: Server) -> None:
    keeps = ("keep vlan tag7 eth0 7", "keep bridge vn-d tag7")
    text = "\n".join(["vnetpanel-committed 1", "txid t", *keeps, "end"]) + "\n"
    (server.root / "etc/committed").write_text(text)
    # Waiting, it would outlast the call. Not every machine of these tests can make VLANs.
    booted = server.call("boot", VNP_WAIT="600")
    assert booted.state == "applied" or "tag7" in booted.answer.get("failed").split()


def test_no_network_is_bridged_at_boot_to_a_vlan_adapter_that_is_another_by_now(server: Server) -> None:
    """What the distribution brings up may have been edited; its containers would be on the other VLAN."""
    stacked(server, "eth0.100 eth0")
    keeps = ("keep vlan eth0.100 eth0 100", "keep bridge vn-d eth0.100", "keep bridge vn-c -")
    text = "\n".join(["vnetpanel-committed 1", "txid t", *keeps, "end"]) + "\n"
    (server.root / "etc/committed").write_text(text)
    booted = server.call("boot", VNP_WAIT="0")
    assert (booted.state, booted.answer.get("failed")) == ("degraded", "eth0.100 vn-d")
    assert {note.code for note in booted.answer.refusals} == {"name-taken", "other-vlan"}
    assert "link vn-c UP" in server.state() and "vn-d" not in server.state()


def test_a_silent_gateway_is_no_reason_at_boot(server: Server, move: HostPlan) -> None:
    server.apply("t", move)
    server.confirm("t")
    server.quiet()
    server.reboot()
    server.batch("link set p1 nomaster", "w")
    assert server.call("boot", check=True).state == "applied"
    assert "addr vn-a inet 10.77.0.11/24" in server.state()


def test_another_link_in_the_same_subnet_is_no_reason_at_boot(server: Server, move: HostPlan) -> None:
    """A review refuses that; what was decided before is brought back."""
    server.apply("t", move)
    server.confirm("t")
    server.quiet()
    server.reboot()
    server.batch("link add eth1 type veth peer name far1\nlink set eth1 up\nlink set far1 up")
    server.batch("addr add 10.77.0.21/24 dev eth1")
    assert server.call("boot", check=True).state == "applied"
    assert "addr vn-a inet 10.77.0.11/24" in server.state()


def test_a_damaged_committed_file_is_refused(server: Server) -> None:
    before = server.state()
    (server.root / "etc/committed").write_text("vnetpanel-committed 1\ntxid t\nkeep bridge vn-a eth0\n")
    assert server.call("boot").code == 64
    (server.root / "etc/committed").write_text("txid t\nkeep bridge $(reboot) eth0\nend\n")
    assert server.call("boot", VNP_WAIT="0").code == 76
    assert server.state() == before


def test_an_adopted_bridge_is_checked_and_left_as_it_is(server: Server) -> None:
    server.batch("link add br0 type bridge stp_state 1\nlink set eth0 master br0")
    plan = HostPlan((Adopt("br0", "eth0"),), (KeepBridge("br0", "eth0", adopted=True),))
    assert server.apply("t", plan).state == "committed"
    before = server.state()
    assert server.call("boot", check=True).state == "applied"
    assert server.state() == before


def test_a_bridge_that_saved_containers_refer_to_is_there_after_a_reboot(server: Server) -> None:
    """A 7+ container whose bridge is missing does not start."""
    assert server.apply("one", HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))).state == "committed"
    conf = server.root / "sys/etc/vz/conf"
    conf.mkdir(parents=True)
    (conf / "301.conf").write_text('NETIF="ifname=eth0,mac=C4:37:72:00:00:01,network=vn-c,type=bridge"\n')
    save = Save("7", "301", "eth0", "veth00000001")
    assert server.apply("two", HostPlan((RemoveBridge("vn-c"),), (), (save,))).state == "committed"
    followed = server.call("follow", "two")
    assert followed.code == 75 and {note.code for note in followed.answer.warnings} == {"bridge-kept"}
    server.reboot()
    assert server.call("boot", check=True).state == "applied"
    assert "link vn-c UP" in server.state()
    (conf / "301.conf").write_text('NETIF="ifname=eth0,mac=C4:37:72:00:00:01"\n')
    assert server.call("follow", "-").state == "agrees"
    assert "vn-c" not in server.state()
    assert run("cat", str(server.root / "lib/followed")).stdout == "two\n"


def test_the_boot_service_started_by_hand_leaves_a_waiting_change_alone(
    server: Server, move: HostPlan
) -> None:
    server.apply("t", move)
    assert server.call("boot").code == 75
    assert server.call("status").answer.get("pending") == "t"
    server.confirm("t")
    server.quiet()
    assert server.call("boot", check=True).state == "applied"


@pytest.mark.parametrize("dialect", ["4", "7"])
def test_a_replay_that_was_killed_is_done_again_within_the_minute(dialect: Literal["4", "7"]) -> None:
    """Found by chaos. A container that was started without its bridge joins it then; others are let alone."""
    with vz_server(dialect) as vz:
        server = vz.server
        vz.commit("t")
        host = vz.create(CTID, "vn-a")
        assert server.call("boot", VNP_CRASH="booting").code == -9
        server.batch("link del vn-a")
        server.batch("link del vn-b")
        if dialect == "4":
            vz("start", CTID)
            assert vz.master(host) == ""
        assert server.call("recover", check=True).answer.get("booted") == "again"
        if dialect == "4":
            assert vz.master(host) == "vn-a"
        assert "vn-b" in server.state()
        server.batch("link del vn-b")
        assert server.call("recover", check=True).state == "clean" and "vn-b" not in server.state()


def moved_and_rebooted(server: Server, move: HostPlan) -> str:
    """The state that the replay is to bring back."""
    server.apply("t", move)
    server.confirm("t")
    server.quiet()
    moved = server.state()
    server.reboot()
    return moved


@pytest.mark.parametrize(("k", "verb"), [(2, "recover"), (8, "recover"), (8, "boot"), (14, "recover")])
def test_a_part_of_the_replay_that_was_killed_half_way_goes_back_before_it_is_done_again(
    server: Server, move: HostPlan, k: int, verb: str
) -> None:
    """From where it had stopped nothing can be planned, and its snapshot was thrown away."""
    moved = moved_and_rebooted(server, move)
    assert server.call("boot", VNP_CRASH=f"critical:{k}").code == -9
    assert server.state() != moved
    again = server.call(verb, check=True)
    assert not again.answer.refusals and server.state() == moved and server.reaches("10.77.0.11")
    assert server.call("recover", check=True).answer.get("booted") == ""


@pytest.mark.parametrize(("before", "kept"), [("0", "1"), ("1", "0")])
def test_what_forwards_since_a_replay_was_killed_goes_on_to_forward(
    server: Server, move: HostPlan, before: str, kept: str
) -> None:
    """vzctl turns it on for every link there is. What was off although it was on stays off."""
    moved_and_rebooted(server, move)
    forward, own = "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/{}/forwarding"
    run(*server.inside(), "sh", "-c", f"echo {before} >{forward}; echo 0 >{own.format('eth0')}")
    assert server.call("boot", VNP_CRASH="critical:8").code == -9
    if before == "0":
        run(*server.inside(), "sh", "-c", f"echo 1 >{forward}")
    server.call("recover", check=True)
    assert server.reaches("10.77.0.11")
    for link in ("eth0", "vn-a"):
        assert run(*server.inside(), "cat", own.format(link)).stdout.strip() == kept


def test_a_part_that_does_not_go_back_is_tried_once_more_and_then_let_go(
    server: Server, move: HostPlan
) -> None:
    """Nothing is replayed over its snapshot before that, and nothing is tried for ever."""
    moved_and_rebooted(server, move)
    assert server.call("boot", VNP_CRASH="critical:8").code == -9
    snap = server.run_dir / "txn/boot-1/snap"
    lines = snap.read_text().splitlines()
    lines.insert(-1, "route4 eth0 203.0.113.0/24 via 198.51.100.250")
    snap.write_text("\n".join(lines) + "\n")
    quick = server.root / "quick-sleep"
    quick.write_text("#!/bin/sh\n")
    quick.chmod(0o755)
    sleep = Path(shutil.which("sleep") or "/bin/sleep").resolve()
    run(*server.inside(), "mount", "--bind", str(quick), str(sleep))
    stuck = server.call("recover", check=True)
    assert {note.code for note in stuck.answer.warnings} == {"boot-stuck"}
    assert stuck.answer.get("booted") == "" and snap.exists()
    assert server.call("recover", check=True).answer.get("booted") == "again"
    assert server.call("recover", check=True).answer.get("booted") == ""


def test_what_an_earlier_boot_left_half_way_is_not_gone_back_to(server: Server, move: HostPlan) -> None:
    """Where /var/run is on the disk (EL6)."""
    moved = moved_and_rebooted(server, move)
    assert server.call("boot", VNP_CRASH="critical:8").code == -9
    journal = server.run_dir / "txn/boot-1/journal"
    left = {p.name: p.read_text() for p in journal.parent.iterdir() if p.is_file()}
    server.reboot()
    journal.parent.mkdir(parents=True)
    for name, text in left.items():
        (journal.parent / name).write_text(text)
    journal.write_text("boot 00000000-0000-0000-0000-000000000000\nstate applying\n")
    snap = journal.parent / "snap"
    snap.write_text(snap.read_text().replace("addr4 eth0 192.0.2.5/32", "addr4 eth0 192.0.2.6/32"))
    assert server.call("boot", check=True).state == "applied"
    assert server.state() == moved


def test_a_replay_that_bash_was_told_to_end_is_done_again(move: HostPlan) -> None:
    """systemd's time-out: bash runs what it has trapped for its exit then, dash does not."""
    with rig.server(("bash", "--posix")) as server:
        moved = moved_and_rebooted(server, move)
        argv = (*server.inside(), *server.shell, str(server.script), "boot")
        env = os.environ | server.environment(VNP_CRASH="stop:booting")
        boot = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL)
        while Path(f"/proc/{boot.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.05)
        boot.send_signal(signal.SIGTERM)
        boot.send_signal(signal.SIGCONT)
        assert boot.wait(timeout=20) == -signal.SIGTERM
        assert server.call("recover", check=True).answer.get("booted") == "again"
        assert server.state() == moved


def test_a_replay_that_a_waiting_change_kept_away_is_done_once_that_has_ended(server: Server) -> None:
    assert server.apply("t", HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))).state == "committed"
    server.reboot()
    plan = HostPlan((Bridge("vn-d"),), (KeepBridge("vn-c"), KeepBridge("vn-d")))
    digest = server.plan(plan).answer.digest
    assert server.call("hold", "u", "15", digest, stdin=plan.render()).state == "applied"
    assert server.call("boot").code == 75
    assert server.call("recover").state == "busy" and "vn-c" not in server.state()
    assert server.call("settle", "u", check=True).state == "committed"
    assert server.call("recover", check=True).answer.get("booted") == "again"
    assert "link vn-c UP" in server.state()
    server.quiet()
    assert server.call("recover", check=True).answer.get("booted") == ""


def test_a_replay_with_nothing_or_with_failures_is_not_done_again(server: Server) -> None:
    committed = server.root / "etc/committed"
    assert server.call("boot", check=True).state == "empty"
    committed.write_text("vnetpanel-committed 1\ntxid t\nkeep bridge vn-a eth0\n")
    assert server.call("boot").code == 64
    committed.write_text("vnetpanel-committed 1\ntxid t\nkeep bridge vn-x eth9\nend\n")
    assert server.call("boot", VNP_WAIT="0").state == "degraded"
    assert server.call("recover", check=True).answer.get("booted") == ""


def test_a_container_that_somebody_started_during_the_replay_joins_its_bridge() -> None:
    """Found by chaos: its hook found no bridge, and nothing looked again."""
    with vz_server("4") as vz:
        vz.commit("t")
        host = vz.create(CTID, "vn-a")
        vz.server.batch("link del vn-a")
        vz("start", CTID)
        assert vz.master(host) == ""
        assert vz.server.call("boot", check=True).state == "applied"
        assert vz.master(host) == "vn-a"


def test_what_a_container_only_names_joins_no_bridge_at_boot() -> None:
    """A configuration that was copied, or written by hand: the container itself is not running."""
    with vz_server("4") as vz:
        vz.commit("t")
        host = vz.create(CTID)
        vz("start", CTID)
        vz.server.batch("link add eth9 type veth peer name far9")
        for ctid, link in (("777", host), ("778", "eth9")):
            (vz.conf / f"{ctid}.conf").write_text(f'NETIF="ifname=eth0,bridge=vn-a,host_ifname={link}"\n')
        assert vz.server.call("boot", check=True).state == "applied"
        assert vz.master(host) == vz.master("eth9") == ""


def test_a_replay_that_has_ended_is_not_done_again(server: Server) -> None:
    assert server.apply("t", HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))).state == "committed"
    assert server.call("boot", check=True).state == "applied"
    server.batch("link del vn-c")
    assert server.call("recover", check=True).answer.get("booted") == ""
    assert "vn-c" not in server.state()


@pytest.mark.parametrize("times", [1, 20])
def test_a_replay_that_somebody_configuring_an_adapter_came_between_is_tried_again(
    server: Server, times: int
) -> None:
    """Found by chaos: an address went while eth0's bridge came up, and its network stayed away.

    Where it goes on and on the network is given up, and everything there is as it was.
    """
    (server.root / "bin").mkdir()
    brctl = server.root / "bin" / "brctl"
    # Every `addif` of the first so many: 192.0.2.5 is there afterwards if it was not before, and the reverse.
    brctl.write_text(
        f"""#!/bin/sh
busybox brctl "$@" || exit
[ "$1" = addif ] || exit 0
echo >>{server.root}/turns
[ $(wc -l <{server.root}/turns) -le {times} ] || exit 0
ip addr del 192.0.2.5/32 dev eth0 2>/dev/null || ip addr add 192.0.2.5/32 dev eth0
"""
    )
    brctl.chmod(0o755)
    server.env |= {"VNP_BRCTL": "1", "VNP_PATH": str(brctl.parent)}
    server.batch("link add eth1 type veth peer name far1\nlink set eth1 up\nlink set far1 up")
    keeps = ("keep bridge vn-a eth0", "keep bridge vn-c eth1")
    text = "\n".join(["vnetpanel-committed 1", "txid t", *keeps, "end"]) + "\n"
    (server.root / "etc/committed").write_text(text)
    booted = server.call("boot")
    state = server.state()
    if times == 1:
        assert booted.state == "applied", booted.raw
        assert "addr vn-a inet 10.77.0.11/24" in state
    else:
        assert booted.state == "degraded" and "vn-a" in booted.answer.get("failed")
        assert "addr eth0 inet 10.77.0.11/24" in state and "vn-a" not in state


@pytest.mark.parametrize("release", ["", "2.6.32-042stab145.3", "3.10.0-1160.90.1.vz7.200.7"])
def test_a_bridge_stays_while_something_stands_on_it(server: Server, release: str) -> None:
    """It would go with the bridge; kernels before 3.14 do not list what does."""
    # An index that is that of nobody's other end elsewhere.
    server.batch("link add vn-c index 777 type bridge")
    assert server.apply("one", HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))).state == "committed"
    server.batch("link add link vn-c name theirs type macvlan mode bridge")
    if release:
        calls_itself(server, release)
    assert server.apply("two", HostPlan((RemoveBridge("vn-c"),))).state == "committed"
    followed = server.call("follow", "two")
    assert [note.text for note in followed.answer.warnings] == ["theirs stands on vn-c"]
    assert followed.code == 75 and "link theirs " in server.state()
    server.batch("link del theirs")
    assert server.call("follow", "two").state == "agrees" and "vn-c" not in server.state()


def test_a_bridge_is_looked_for_in_all_saved_containers_by_one_process(server: Server) -> None:
    """A process for each container would be most of what taking a network from a server costs."""
    made = HostPlan((Bridge("vn-c"), Bridge("vn-c2")), (KeepBridge("vn-c"), KeepBridge("vn-c2")))
    assert server.apply("one", made).state == "committed"
    conf = server.root / "sys/etc/vz/conf"
    conf.mkdir(parents=True)
    for ctid in range(300, 340):
        # One that the name of the other begins with is no reference.
        (conf / f"{ctid}.conf").write_text(f'NETIF="ifname=eth0,bridge=vn-c2,host_ifname=v{ctid}"\n')
    gone = HostPlan((RemoveBridge("vn-c"), RemoveBridge("vn-c2")))
    assert server.apply("two", gone).state == "committed"
    awk, log = Path(shutil.which("awk") or "/usr/bin/awk").resolve(), server.root / "started"
    real, told = server.root / "real-awk", server.root / "told-awk"
    shutil.copy(awk, real)
    told.write_text(f'#!/bin/sh\necho >>{log}\nexec {real} "$@"\n')
    told.chmod(0o755)
    run(*server.inside(), "mount", "--bind", str(told), str(awk))
    followed = server.call("follow", "two")
    assert {note.code for note in followed.answer.warnings} == {"bridge-kept"}
    assert len(log.read_text().splitlines()) == 1, "only the first that says the name of vn-c2 is read for it"
    assert "link vn-c " not in server.state() and "link vn-c2 " in server.state()


@pytest.mark.parametrize("grep", ["exit 2", "exit 127", "kill -9 $$"])
def test_a_bridge_stays_where_its_containers_could_not_be_looked_through_at_once(
    server: Server, grep: str
) -> None:
    """Too many files for one command, one that cannot be read, no grep: each file is read by itself then."""
    assert server.apply("one", HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))).state == "committed"
    conf = server.root / "sys/etc/vz/conf"
    conf.mkdir(parents=True)
    (conf / "301.conf").write_text('NETIF="ifname=eth0,bridge=vn-c,host_ifname=v301"\n')
    assert server.apply("two", HostPlan((RemoveBridge("vn-c"),))).state == "committed"
    program, fails = Path(shutil.which("grep") or "/bin/grep").resolve(), server.root / "fails"
    fails.write_text(f"#!/bin/sh\n{grep}\n")
    fails.chmod(0o755)
    run(*server.inside(), "mount", "--bind", str(fails), str(program))
    followed = server.call("follow", "two")
    assert {note.code for note in followed.answer.warnings} == {"bridge-kept"}
    assert "link vn-c " in server.state()
    (conf / "301.conf").unlink()
    assert server.call("follow", "two").state == "agrees"
    assert "link vn-c " not in server.state()
