"""A real sshd on a machine that can be prepared: its /etc and /usr/local/lib are the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from networks import gate
from nodes.commands import Command
from nodes.ssh import Completed, Credential, Pool, Target, make_key_pair
from tests.conftest import CI
from tests.networks.conftest import operator, scene
from tests.sshd import Sshd

__all__ = ["operator", "scene"]

HERE = "127.0.0.1"
"""Where connections to an address of the loopback come from."""


class Machine(Sshd):
    """An sshd as distributions set it up: keys in each home, modes checked; nobody has prepared it."""

    def __init__(self, folder: Path, sudoers: str = "") -> None:
        config = (
            "AuthorizedKeysFile /root/authorized_keys .ssh/authorized_keys\nStrictModes yes\nAcceptEnv VNP_*"
        )
        config += "\nSubsystem sftp internal-sftp\nAllowTcpForwarding yes\nPasswordAuthentication yes"
        rules = sudoers or "root ALL=(ALL) ALL\n@includedir /etc/sudoers.d\n"
        super().__init__(folder, config, sudoers=rules)
        self.panel = make_key_pair("vnetpanel")
        self.pool = Pool()

    @property
    def inside(self) -> str:
        return _INSIDE

    def stop(self) -> None:
        self.pool.close()
        super().stop()

    def root(self, script: str) -> Completed:
        """A script run by root, over SSH."""
        return self.pool.run(self.target(), Command(("sh", "-s"), stdin=script.encode()), deadline_s=60)

    def prepare(self, addresses: str = HERE) -> str:
        """Prepare it; what it answered."""
        script = gate.preparation(self.panel.public, addresses, old=False)
        return self.root(script).stdout.decode()

    @property
    def prepared(self) -> Target:
        """Its dedicated user."""
        key = Credential(private_key=self.panel.private)
        return self.target(username="vnetpanel", credential=key, server=f"{self.port} as the panel")

    def ask(self, *words: str, stdin: bytes = b"") -> Completed:
        """What the dedicated key brings."""
        return self.pool.run(self.prepared, Command(words, stdin=stdin), deadline_s=60)


@pytest.fixture(scope="module")
def needs_sudo() -> None:
    if not shutil.which("sudo") or not shutil.which("useradd"):
        (pytest.fail if CI else pytest.skip)("needs sudo and useradd (apt install sudo passwd)")


@pytest.fixture(scope="module")
def machine(needs_sudo: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One that is prepared."""
    with Machine(tmp_path_factory.mktemp("machine")) as machine:
        said = machine.prepare()
        assert said.endswith("done=0\n"), said
        yield machine


@pytest.fixture
def bare(needs_sudo: None, tmp_path: Path) -> Iterator[Machine]:
    """One that nobody has prepared."""
    with Machine(tmp_path / "bare") as machine:
        yield machine


# useradd and put rename files over others, which a file that is bound there does not let them do.
_INSIDE = """\
set -e
mount -t tmpfs none /mnt
mkdir -p /mnt/etc /mnt/lib /mnt/work1 /mnt/work2
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/work1 none /etc
mount -t overlay -o lowerdir=/usr/local/lib,upperdir=/mnt/lib,workdir=/mnt/work2 none /usr/local/lib
for place in /run/vnetpanel /var/lib/vnetpanel; do
    mkdir -p $place
    mount -t tmpfs none $place
done
rm -rf /etc/sudoers.d/* /etc/vnetpanel /usr/local/lib/vnetpanel
cp -a {folder}/passwd {folder}/shadow {folder}/group {folder}/sudoers /etc
chown root:root /etc/passwd /etc/shadow /etc/group /etc/sudoers
chmod 0600 /etc/shadow
mount --bind {folder}/home /root
exec {sshd} -D -e -f {folder}/sshd_config
"""
