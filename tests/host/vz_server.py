"""A server whose containers are those of the vzctl stand-in, for tests of what follows a commit."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from networks.host.grammar import Bridge, Errand, HostPlan, Keep, KeepBridge, Place, Port, Save
from tests.host import rig
from tests.host.rig import Server, run

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
        self,
        txid: str,
        *saves: Save | Place,
        ports: tuple[Port, ...] = (),
        bridges: str = "vn-a vn-b",
        errands: tuple[Errand, ...] = (),
    ) -> None:
        names = bridges.split()
        keeps: tuple[Keep, ...] = tuple(KeepBridge(name) for name in names)
        plan = HostPlan((*(Bridge(name) for name in names), *ports), keeps, saves, errands)
        done = self.server.apply(txid, plan)
        assert done.state == "committed", done.raw

    def save(self, ctid: str, host: str, bridge: str = "") -> Save:
        return Save(self.dialect, ctid, "eth0", host, bridge)


@contextmanager
def vz_server(dialect: Dialect, shell: tuple[str, ...] = ("/bin/sh",)) -> Iterator[Vz]:
    """A prepared server with the stand-in of one dialect, its containers stopped afterwards."""
    with rig.server(shell) as server:
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
