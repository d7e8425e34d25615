"""vzctl's saved configuration follows the commit, in both dialects, whatever vzctl says of itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from networks.host.answers import Saved
from networks.host.grammar import Bridge, HostPlan, KeepBridge, NetifAdd, Place, Port, RemoveBridge, Save
from tests.host.rig import run
from tests.host.vz_server import CTID, Vz, vz_server

pytestmark = pytest.mark.netns
OTHER = f"8{CTID[1:]}"


@pytest.fixture(params=["4", "7"])
def vz(request: pytest.FixtureRequest) -> Iterator[Vz]:
    with vz_server(request.param) as ready:
        yield ready


def test_a_stopped_container_joins_when_it_starts(vz: Vz) -> None:
    host = vz.create(CTID)
    vz.commit("t", vz.save(CTID, host, "vn-a"))
    followed = vz.server.call("follow", "t", check=True)
    assert followed.answer.saved == (Saved(CTID, "eth0", True),) and followed.state == "agrees"
    assert vz.saved(CTID) == "vn-a"
    vz("start", CTID)
    assert vz.master(host) == "vn-a"
    vz("restart", CTID)
    assert vz.master(host) == "vn-a"


def test_what_vzctl_saved_is_on_the_disk_before_it_is_said_to_agree(vz: Vz) -> None:
    vz.commit("t", vz.save(CTID, vz.create(CTID), "vn-a"))
    dd, log = Path(shutil.which("dd") or "/bin/dd").resolve(), vz.server.root / "flushed"
    real, told = vz.server.root / "real-dd", vz.server.root / "told-dd"
    shutil.copy(dd, real)
    told.write_text(f'#!/bin/sh\necho "$*" >>{log}\nexec {real} "$@"\n')
    told.chmod(0o755)
    run(*vz.server.inside(), "mount", "--bind", str(told), str(dd))
    assert vz.server.call("follow", "t", check=True).state == "agrees"
    assert f"/{CTID}.conf conv=notrunc,fsync\n" in log.read_text()


def test_a_running_container_moves_at_once_and_stays_after_a_restart(vz: Vz) -> None:
    vz.commit("one")
    host = vz.create(CTID, "vn-a")
    vz("start", CTID)
    assert vz.master(host) == "vn-a"
    vz.commit("two", vz.save(CTID, host, "vn-b"), ports=(Port(host, "vn-b"),))
    assert vz.master(host) == "vn-b" and vz.saved(CTID) == "vn-a"
    for _ in range(2):
        assert vz.server.call("follow", "two", check=True).state == "agrees"
        assert vz.master(host) == "vn-b" and vz.saved(CTID) == "vn-b"
    vz("restart", CTID)
    assert vz.master(host) == "vn-b"


def test_a_container_leaves_its_network_for_good(vz: Vz) -> None:
    vz.commit("one")
    host = vz.create(CTID, "vn-a")
    vz("start", CTID)
    vz.commit("two", vz.save(CTID, host), ports=(Port(host),))
    assert vz.master(host) == ""
    assert vz.server.call("follow", "-", check=True).state == "agrees"
    assert vz.master(host) == "", "the start hook put it back"
    assert vz.saved(CTID) == ("vn-none" if vz.dialect == "4" else "")
    vz("restart", CTID)
    assert vz.master(host) == ""


def test_a_container_restarted_before_vzctl_followed_is_put_right(vz: Vz) -> None:
    vz.commit("one")
    host = vz.create(CTID, "vn-a")
    vz("start", CTID)
    vz.commit("two", vz.save(CTID, host, "vn-b"), ports=(Port(host, "vn-b"),))
    vz("restart", CTID)
    assert vz.master(host) == "vn-a"
    assert vz.server.call("follow", "two", check=True).state == "agrees"
    assert vz.master(host) == "vn-b"


def test_a_container_restarted_before_a_held_change_is_settled_is_put_right_by_settling(vz: Vz) -> None:
    """Nothing is compared before that commit: what has gone since is brought back by what follows it."""
    vz.commit("one")
    host = vz.create(CTID, "vn-a")
    vz("start", CTID)
    keeps = (KeepBridge("vn-a"), KeepBridge("vn-b"))
    plan = HostPlan((Port(host, "vn-b"),), keeps, (vz.save(CTID, host, "vn-b"),))
    digest = vz.server.plan(plan).answer.digest
    assert vz.server.call("hold", "two", "15", digest, stdin=plan.render()).state == "applied"
    vz("restart", CTID)
    assert vz.master(host) == "vn-a"
    settled = vz.server.call("settle", "two", check=True)
    assert (settled.state, settled.answer.get("follows")) == ("committed", "agrees")
    assert vz.master(host) == "vn-b" and vz.saved(CTID) == "vn-b"


def names(vz: Vz, ctid: str, link: str) -> None:
    """The container's configuration, copied or written by hand, calls that link its own."""
    conf = vz.conf / f"{ctid}.conf"
    conf.write_text(re.sub(r"host_ifname=[^,;\"]+", f"host_ifname={link}", conf.read_text()))


def test_a_stopped_container_does_not_move_what_it_names_of_another_one(vz: Vz) -> None:
    vz.commit("one")
    host = vz.create(CTID, "vn-a")
    vz("start", CTID)
    vz.create(OTHER)
    names(vz, OTHER, host)
    vz.commit("two", vz.save(OTHER, host, "vn-b"))
    for _ in range(2):
        assert vz.server.call("follow", "two", check=True).answer.saved == (Saved(OTHER, "eth0", True),)
        assert vz.master(host) == "vn-a" and vz.saved(OTHER) == "vn-b"


def test_a_running_container_moves_nothing_that_is_somebody_elses(vz: Vz) -> None:
    """Another one's port, an adapter with the server's address, one of a network's, a bridge."""
    vz.server.batch("link add eth9 type veth peer name far9\nlink add br-x type bridge")
    step, keep = Bridge("vn-c", "eth9"), KeepBridge("vn-c", "eth9")
    keeps = (KeepBridge("vn-a"), KeepBridge("vn-b"), keep)
    made = HostPlan((Bridge("vn-a"), Bridge("vn-b"), step), keeps)
    assert vz.server.apply("one", made).state == "committed"
    host = vz.create(CTID, "vn-a")
    own = vz.create(OTHER, "vn-b")
    for ctid in (CTID, OTHER):
        vz("start", ctid)
    why = {
        host: f"{CTID}.conf names, too",
        "eth0": "address of the server",
        "eth9": "not a container interface",
    }
    for link, reason in (why | {"br-x": "not a container interface"}).items():
        names(vz, OTHER, link)
        before = vz.server.state()
        plan = HostPlan((), keeps, (vz.save(OTHER, link, "vn-b"),))
        assert vz.server.apply(f"t-{link.replace('.', '-')}", plan).state == "committed"
        followed = vz.server.call("follow", "-")
        assert vz.server.state() == before, link
        assert followed.code == 75 and reason in followed.answer.saved[0].reason, followed.raw
    # Once the configuration says what is its own, that is what moves, whatever the plan was told.
    names(vz, OTHER, own)
    vz.server.batch(f"link set {own} nomaster")
    assert vz.server.call("follow", "-", check=True).state == "agrees" and vz.master(own) == "vn-b"


def test_what_is_not_there_is_said_and_never_made(vz: Vz) -> None:
    host = vz.create(CTID)
    saves = (vz.save("777", "veth777.0", "vn-a"), Save(vz.dialect, CTID, "eth5", "veth5", "vn-a"))
    vz.commit("t", vz.save(CTID, host, "vn-a"), *saves)
    followed = vz.server.call("follow", "t", check=True)
    assert followed.answer.saved == (Saved(CTID, "eth0", True),)
    said = [note.text for note in followed.answer.warnings if note.code == "gone"]
    assert ["container 777 is not on this server" in text for text in said] == [True, False]
    assert f"container {CTID} has no eth5" in said[1]
    # Done with, also for the next commit: nothing waits for a container that was destroyed.
    vz.commit("u")
    assert "save " not in vz.server.committed
    assert not (vz.root / "etc/vz/conf/777.conf").exists() and not (vz.conf / "777.conf").exists()


def test_a_locked_container_follows_later(vz: Vz) -> None:
    host = vz.create(CTID)
    vz.commit("one", vz.save(CTID, host, "vn-a"))
    lock = vz.root / f"vz/lock/{CTID}.lck"
    lock.parent.mkdir(parents=True, exist_ok=True)
    sleeper = subprocess.Popen(("sleep", "60"))
    lock.write_text(f"{sleeper.pid}\n")
    try:
        followed = vz.server.call("follow", "one")
        assert followed.code == 75 and not followed.answer.saved[0].agrees
        # What was not followed is carried into the next commit.
        vz.commit("two")
        assert f"save {vz.dialect} {CTID} eth0 {host} vn-a\n" in vz.server.committed
    finally:
        sleeper.kill()
        sleeper.wait()
    lock.unlink()
    assert vz.server.call("follow", "two", check=True).state == "agrees"
    assert vz.saved(CTID) == "vn-a"
    vz.commit("three")
    assert "save " not in vz.server.committed


def test_it_waits_while_a_change_is_undecided(vz: Vz, move: HostPlan) -> None:
    host = vz.create(CTID)
    vz.commit("one", vz.save(CTID, host, "vn-a"))
    assert vz.server.apply("two", move).state == "applied"
    assert vz.server.call("follow", "-").code == 75
    vz.server.call("abort", "two", check=True)
    assert vz.server.call("follow", "nonesuch").code == 77
    assert vz.server.call("follow", "one").state == "agrees"


def test_what_vzctl_has_not_saved_yet_is_forgotten_when_the_container_leaves_again(vz: Vz) -> None:
    """vzctl had it locked meanwhile. Saved after all, it would be back in the network it was taken out of."""
    vz.commit("one")
    host = vz.create(CTID)
    vz("start", CTID)
    vz.commit("two", vz.save(CTID, host, "vn-a"), ports=(Port(host, "vn-a"),))
    vz.commit("three", ports=(Port(host),))
    assert vz.server.call("follow", "three", check=True).state == "agrees"
    assert vz.master(host) == "" and vz.saved(CTID) in ("", "vn-none")


def test_a_bridge_that_goes_takes_along_what_was_to_be_saved_of_it(vz: Vz) -> None:
    host = vz.create(CTID)
    vz.commit("two", vz.save(CTID, host, "vn-a"))
    done = vz.server.apply("three", HostPlan((RemoveBridge("vn-a"),)))
    assert done.state == "committed", done.raw
    assert vz.server.call("follow", "three", check=True).state == "agrees"
    assert vz.saved(CTID) in ("", "vn-none")
    assert "vn-a" not in vz.server.run("ip", "-o", "link")


def test_what_an_earlier_commit_left_to_be_saved_is_dropped_where_somebody_elses_bridge_stays(vz: Vz) -> None:
    """Stopped, in a bridge of somebody's by its own configuration, and taken out before vzctl saved it."""
    host = vz.create(CTID, "br-theirs")
    vz.commit("one", vz.save(CTID, host, "vn-a"))
    vz.commit("two", Place(vz.dialect, CTID, "eth0"))
    assert vz.server.call("follow", "two", check=True).answer.saved == ()
    assert vz.saved(CTID) == "br-theirs"


def test_what_is_let_go_is_neither_tried_again_nor_carried_on(vz: Vz) -> None:
    vz.create(CTID)
    vz.commit("one", errands=(NetifAdd(vz.dialect, CTID, "eth0", bridge="vn-a"),))
    assert vz.server.call("follow", "one").code == 75
    assert vz.server.call("letgo", "other").code == 77
    assert vz.server.call("letgo", "one", check=True).state == "agrees"
    vz.commit("two")
    assert "netif_add" not in vz.server.committed
    assert vz.server.call("follow", "two", check=True).state == "agrees"
