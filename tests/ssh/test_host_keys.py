"""A server is talked to only if it proves to have a host key that somebody approved."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from nodes.commands import Command
from nodes.ssh import HostKey, Pool, read_host_key, read_host_keys
from nodes.ssh.errors import HostKeyChanged, HostKeyUnknown, OldAlgorithms
from tests.ssh.conftest import StartSshd
from tests.sshd import Sshd

TRUE = Command(("true",))
REPOSITORY = Path(__file__).parents[2]


def test_it_reads_a_host_key_without_logging_in(sshd: Sshd) -> None:
    key = read_host_key(sshd.address, sshd.port)

    assert key == sshd.host_keys[0]
    assert sshd.connections == 1
    # With a user name sent sshd would write "closed by authenticating user root".
    assert "user" not in sshd.log
    assert sshd.logins == sshd.sessions == 0


def test_its_fingerprint_is_the_one_that_ssh_keygen_prints(sshd: Sshd) -> None:
    key = read_host_key(sshd.address, sshd.port)

    printed = subprocess.run(
        ["ssh-keygen", "-l", "-f", sshd.folder / "host_ed25519.pub"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert key.sha256 == printed.stdout.split()[1]


def test_it_reads_the_keys_of_all_types(start_sshd: StartSshd) -> None:
    sshd = start_sshd(host_keys=("rsa", "ecdsa", "ed25519"))

    keys = read_host_keys(sshd.address, sshd.port)

    assert [key.type for key in keys] == ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]
    assert set(keys) == set(sshd.host_keys)


def test_a_fingerprint_of_no_key_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a host key"):
        _ = HostKey("ssh-ed25519", "not base64!").sha256


def test_it_sends_nothing_while_no_key_is_approved(sshd: Sshd, pool: Pool) -> None:
    with pytest.raises(HostKeyUnknown, match="ssh-keygen -lf"):
        pool.run(sshd.target(host_keys=()), TRUE)

    assert sshd.connections == 0


@pytest.mark.parametrize("fresh", [False, True])
def test_it_sends_nothing_to_a_server_with_another_key(sshd: Sshd, pool: Pool, fresh: bool) -> None:
    target = sshd.target()
    sshd.make_host_keys("ed25519")
    sshd.restart()

    with pytest.raises(HostKeyChanged) as caught:
        pool.run(target, TRUE, fresh=fresh)

    assert caught.value.old == target.host_keys
    assert caught.value.new == sshd.host_keys[0]
    assert target.host_keys[0].sha256 in caught.value.sentence
    assert sshd.host_keys[0].sha256 in caught.value.sentence
    assert not caught.value.retryable
    assert not caught.value.started
    assert sshd.connections == 1
    assert "user" not in sshd.log


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_server_with_several_keys_shows_the_approved_one(
    start_sshd: StartSshd, pool: Pool, kind: str
) -> None:
    sshd = start_sshd(host_keys=("rsa", "ecdsa", "ed25519"))
    approved = [key for key in sshd.host_keys if kind in key.type]

    assert pool.run(sshd.target(host_keys=tuple(approved)), TRUE).ok


def test_a_server_that_lost_the_approved_key_counts_as_changed(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(host_keys=("ecdsa", "ed25519"))
    approved = tuple(key for key in sshd.host_keys if key.type == "ssh-ed25519")
    (sshd.folder / "host_ed25519.pub").unlink()
    sshd.restart()

    with pytest.raises(HostKeyChanged) as caught:
        pool.run(sshd.target(host_keys=approved), TRUE)

    assert caught.value.new == sshd.host_keys[0]


def test_any_one_of_several_approved_keys_will_do(sshd: Sshd, pool: Pool) -> None:
    old = HostKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")

    assert pool.run(sshd.target(host_keys=(old, *sshd.host_keys)), TRUE).ok


def test_host_keys_may_be_given_as_plain_pairs(sshd: Sshd, pool: Pool) -> None:
    pairs = tuple((key.type, key.base64) for key in sshd.host_keys)

    assert pool.run(sshd.target(host_keys=pairs), TRUE).ok


def test_a_key_that_only_old_algorithms_can_show_is_told_so(start_sshd: StartSshd) -> None:
    sshd = start_sshd("HostKeyAlgorithms ssh-rsa", host_keys=("rsa",))

    with pytest.raises(OldAlgorithms, match="Legacy SSH"):
        read_host_key(sshd.address, sshd.port)
    assert read_host_key(sshd.address, sshd.port, legacy=True) == sshd.host_keys[0]


def test_no_code_accepts_unknown_host_keys() -> None:
    accepting = re.compile(r"AutoAddPolicy|WarningPolicy|MissingHostKeyPolicy|StrictHostKeyChecking[ =]*no")
    sources = [
        path
        for folder in ("nodes", "networks", "vnetpanel", "lab", "bench")
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in {".py", ".sh"}
    ]

    assert sources
    assert [path for path in sources if accepting.search(path.read_text(errors="replace"))] == []
