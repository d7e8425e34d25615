"""vzctl's saved configuration follows the commit, in both dialects, whatever vzctl says of itself."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from networks.host.grammar import Bridge, HostPlan, Keep, KeepBridge, Port, Save, Saved
from tests.host import rig
from tests.host.rig import Server, run

pytestmark = pytest.mark.netns
STAND_INS = Path("lab/vz").absolute()
Dialect = Literal["4", "7"]
CTID = str(900_000_000 + os.getpid() % 90_000_000)
"""Its namespace is named after it: another test run beside this one has another."""


@dataclass
class Vz:
    """A server whose containers are those of the vzctl stand-in."""

    server: Server
    dialect: Dialect
    containers: list[str]

    @property
    def root(self) -> Path:
        return self.server.root / "sys"

    @property
    def conf(self) -> Path:
        return self.server.root / "conf" if self.dialect == "7" else self.root / "etc/vz/conf"

    @property
    def prefix(self) -> str:
        return self.server.ns("c")

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(*self.server.inside(), str(self.server.root / "bin/vzctl"), *words, check=check)

    def create(self, ctid: str, bridge: str = "") -> str:
        """A container with one bridged interface, eth0; the name of its host side."""
        self("create", ctid, "--ostemplate", "lab")
        self.containers.append(ctid)
        if self.dialect == "7":  # the link of the genuine one holds only where the root is the root
            (self.conf / f"{ctid}.conf").symlink_to(self.root / f"vz/private/{ctid}/ve.conf")
        self("set", ctid, "--netif_add", "eth0", "--save")
        if bridge and self.dialect == "4":
            self("set", ctid, "--ifname", "eth0", "--bridge", bridge, "--save")
        if bridge and self.dialect == "7":
            self("set", ctid, "--ifname", "eth0", "--network", bridge, "--nettype", "bridge", "--save")
        found = re.search(r"host_ifname=([^,;\"]+)", self.netif(ctid))
        assert found
        return found.group(1)

    def netif(self, ctid: str) -> str:
        lines = (self.conf / f"{ctid}.conf").read_text().splitlines()
        return next((line for line in lines if line.startswith("NETIF=")), "")

    def saved(self, ctid: str) -> str:
        found = re.search(r"(?:bridge|network)=([^,;\"]*)", self.netif(ctid))
        return found.group(1) if found else ""

    def master(self, host: str) -> str:
        words = self.server.run("ip", "-o", "link", "show", host).split()
        return words[words.index("master") + 1] if "master" in words else ""

    def commit(
        self, txid: str, *saves: Save, ports: tuple[Port, ...] = (), bridges: str = "vn-a vn-b"
    ) -> None:
        names = bridges.split()
        keeps: tuple[Keep, ...] = tuple(KeepBridge(name) for name in names)
        plan = HostPlan((*(Bridge(name) for name in names), *ports), keeps, saves)
        done = self.server.apply(txid, plan)
        assert done.state == "committed", done.raw

    def save(self, ctid: str, host: str, bridge: str = "") -> Save:
        return Save(self.dialect, ctid, "eth0", host, bridge)


@pytest.fixture(params=["4", "7"])
def vz(request: pytest.FixtureRequest) -> Iterator[Vz]:
    dialect: Dialect = request.param
    with rig.server() as server:
        ready = Vz(server, dialect, [])
        for name in ("bin", "conf", "sys/etc"):
            (server.root / name).mkdir(exist_ok=True)
        run("sh", str(STAND_INS / "install"), dialect, str(ready.root / "usr"), str(ready.root / "etc"))
        wrapper = server.root / "bin/vzctl"
        env = f"VZ_ROOT={ready.root} VZ_NETNS_PREFIX={ready.prefix} VNP_CONF={ready.conf}"
        env += f" VNP_RUN={server.run_dir}"
        wrapper.write_text(f'#!/bin/sh\nexec env {env} {STAND_INS}/vzctl{dialect} "$@"\n')
        wrapper.chmod(0o755)
        server.env |= {"VNP_PATH": str(wrapper.parent), "VNP_CONF": str(ready.conf)}
        version = "vzctl version 4.11.1" if dialect == "4" else "vzctl version 9.0.1"
        server.call("prepare", check=True, VNP_SYSTEMD="/nowhere", VNP_VZCTL=version)
        yield ready
        for ctid in ready.containers:
            ready("stop", ctid, "--fast", check=False)
            for name in (f"{ready.prefix}{ctid}", ctid):
                run(*server.inside(), "ip", "netns", "del", name, check=False)


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


def test_what_is_not_there_is_said_and_never_made(vz: Vz) -> None:
    host = vz.create(CTID)
    saves = (vz.save("777", "veth777.0", "vn-a"), Save(vz.dialect, CTID, "eth5", "veth5", "vn-a"))
    vz.commit("t", vz.save(CTID, host, "vn-a"), *saves)
    followed = vz.server.call("follow", "t")
    assert followed.code == 75 and followed.state == "differs"
    assert [line.agrees for line in followed.answer.saved] == [True, False, False]
    assert "has no configuration here" in followed.answer.saved[1].reason
    assert "has no interface eth5" in followed.answer.saved[2].reason
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
