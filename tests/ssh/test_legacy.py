"""Old algorithms are offered only where "legacy SSH" is ticked, and good ones always come first."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.commands import Command
from nodes.ssh import Credential, Pool
from nodes.ssh.algorithms import LEGACY, MODERN, legacy_would_help, pinned_first, signs_rsa_with_sha1_only
from nodes.ssh.errors import LoginRefused, OldAlgorithms
from tests.ssh.conftest import StartSshd
from tests.sshd import Sshd

TRUE = Command(("true",))
# What the OpenSSH 5.3 of OpenVZ 6 has to offer, as far as a current sshd can still be told to be like it.
OPENVZ_6 = """\
HostKeyAlgorithms ssh-rsa
KexAlgorithms diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha1,diffie-hellman-group1-sha1
Ciphers aes128-ctr,aes192-ctr,aes256-ctr,aes128-cbc,3des-cbc
MACs hmac-md5,hmac-sha1
PubkeyAcceptedAlgorithms ssh-rsa
"""


def rsa_login(sshd: Sshd, folder: Path) -> Credential:
    """An RSA key that the server lets in."""
    command = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", folder / "key"]
    subprocess.run(command, check=True)
    sshd.authorize((folder / "key.pub").read_text())
    return Credential(private_key=(folder / "key").read_text())


def test_an_openvz_6_server_answers_where_legacy_ssh_is_ticked(
    start_sshd: StartSshd, pool: Pool, tmp_path: Path
) -> None:
    sshd = start_sshd(OPENVZ_6, host_keys=("rsa",))
    target = sshd.target(credential=rsa_login(sshd, tmp_path), legacy=True)

    assert pool.run(target, TRUE).ok


def test_an_openvz_6_server_is_told_apart_where_it_is_not(
    start_sshd: StartSshd, pool: Pool, tmp_path: Path
) -> None:
    sshd = start_sshd(OPENVZ_6, host_keys=("rsa",))

    with pytest.raises(OldAlgorithms, match="tick “Legacy SSH”") as caught:
        pool.run(sshd.target(credential=rsa_login(sshd, tmp_path)), TRUE)

    assert caught.value.reason == "old_algorithms"
    assert not caught.value.retryable
    assert sshd.logins == 0


@pytest.mark.parametrize(
    "config",
    [
        "HostKeyAlgorithms ssh-rsa",
        "KexAlgorithms diffie-hellman-group1-sha1",
        "KexAlgorithms diffie-hellman-group14-sha1",
        "KexAlgorithms diffie-hellman-group-exchange-sha256",
        "Ciphers aes128-ctr",
        "Ciphers aes128-cbc",
        "Ciphers aes128-cbc\nMACs hmac-sha1",
    ],
)
def test_each_old_algorithm_needs_the_tick(start_sshd: StartSshd, pool: Pool, config: str) -> None:
    sshd = start_sshd(config, host_keys=("rsa",))

    with pytest.raises(OldAlgorithms, match="tick “Legacy SSH”"):
        pool.run(sshd.target(), TRUE)
    assert pool.run(sshd.target(legacy=True), TRUE).ok


def test_sha1_signatures_of_a_login_key_need_the_tick(
    start_sshd: StartSshd, pool: Pool, tmp_path: Path
) -> None:
    sshd = start_sshd("PubkeyAcceptedAlgorithms ssh-rsa")
    credential = rsa_login(sshd, tmp_path)

    with pytest.raises(LoginRefused):
        pool.run(sshd.target(credential=credential), TRUE)
    assert pool.run(sshd.target(credential=credential, legacy=True), TRUE).ok


def test_a_modern_server_uses_modern_algorithms_in_spite_of_the_tick(
    start_sshd: StartSshd, pool: Pool, tmp_path: Path
) -> None:
    sshd = start_sshd("LogLevel DEBUG1", host_keys=("rsa", "ed25519"))

    assert pool.run(sshd.target(credential=rsa_login(sshd, tmp_path), legacy=True), TRUE).ok
    assert sshd.count("kex: algorithm: curve25519-sha256@libssh.org")
    assert sshd.count("kex: host key algorithm: ssh-ed25519")
    assert sshd.count("kex: client->server cipher: aes128-gcm@openssh.com")
    assert not sshd.count("ssh-rsa .*sha1|signature algorithm ssh-rsa ")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_server_that_no_tick_would_help_is_told_so(start_sshd: StartSshd, pool: Pool, legacy: bool) -> None:
    sshd = start_sshd("Ciphers chacha20-poly1305@openssh.com")

    with pytest.raises(OldAlgorithms, match="no SSH algorithm in common") as caught:
        pool.run(sshd.target(legacy=legacy), TRUE)

    assert caught.value.reason == "no_common_algorithm"


def test_nothing_old_is_offered_without_the_tick() -> None:
    names = (*MODERN.kex, *MODERN.keys, *MODERN.ciphers, *MODERN.macs)

    assert "ssh-rsa" not in names
    assert not [name for name in names if "sha1" in name or "cbc" in name or "group" in name or "md5" in name]
    assert MODERN.disabled_pubkeys == ("ssh-rsa",)


def test_the_tick_adds_at_the_end_only() -> None:
    for one in ("kex", "keys", "ciphers", "macs"):
        modern, legacy = getattr(MODERN, one), getattr(LEGACY, one)
        assert legacy[: len(modern)] == modern
    assert not [name for name in LEGACY.kex if "group16" in name or "exchange-sha1" in name]


def test_approved_key_types_come_first() -> None:
    assert pinned_first(MODERN, ["ssh-rsa"])[:3] == ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519")
    assert pinned_first(LEGACY, ["ssh-rsa"])[:3] == ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")
    assert pinned_first(MODERN, ["ssh-dss"]) == MODERN.keys


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("SSH-2.0-OpenSSH_5.3", True),
        ("SSH-2.0-OpenSSH_6.6.1p1 Ubuntu-2ubuntu2", True),
        ("SSH-2.0-OpenSSH_7.1", True),
        ("SSH-2.0-OpenSSH_7.2", False),
        ("SSH-2.0-OpenSSH_10.0", False),
        ("SSH-2.0-dropbear_2022.83", False),
    ],
)
def test_it_knows_servers_that_sign_with_sha1_only(version: str, old: bool) -> None:
    assert signs_rsa_with_sha1_only(version) is old


def kexinit(*lists: str) -> bytes:
    """A greeting as RFC 4253 has it, with the first name-lists of a KEXINIT."""
    packet = b"\0\0\1\0" + b"\x08" + b"\x14" + bytes(range(16))
    return (
        b"SSH-2.0-OpenSSH_5.3\r\n" + packet + b"".join(len(o).to_bytes(4, "big") + o.encode() for o in lists)
    )


def test_legacy_helps_only_if_every_list_has_something_in_common() -> None:
    # 0x37 bytes: a length that is also a digit must not be taken for a part of the name behind it.
    kex = "diffie-hellman-group1-sha1,kex-strict-s-v00@openssh.com"

    assert legacy_would_help(kexinit(kex, "ssh-rsa,ssh-dss", "aes128-ctr"))
    assert legacy_would_help(b"Welcome\r\n" + kexinit(kex, "ssh-rsa,ssh-dss", "aes128-ctr"))
    assert not legacy_would_help(kexinit(kex, "ssh-dss", "aes128-ctr"))
    assert not legacy_would_help(kexinit(kex, "ssh-rsa", "arcfour"))
    assert not legacy_would_help(kexinit(kex))
    assert not legacy_would_help(b"")


@given(st.binary(max_size=300))
def test_no_greeting_breaks_it(noise: bytes) -> None:
    legacy_would_help(noise)
    legacy_would_help(b"SSH-2.0-x\n" + noise)
