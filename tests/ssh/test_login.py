"""Logging in: with a key, a password or both, and each way of being refused told apart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nodes.commands import Command
from nodes.ssh import Credential, Pool, Timeouts, make_key_pair
from nodes.ssh.errors import LoginRefused, Unreachable
from tests.ssh.conftest import StartSshd
from tests.sshd import PASSWORD, USER, Sshd

WHO = Command(("id", "-un"))
PASSWORDS = "PasswordAuthentication yes"


def made_by_ssh_keygen(folder: Path, *options: str) -> Credential:
    """A key made by ssh-keygen: `-t rsa`, `-m PEM`, `-N passphrase`..."""
    file = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-C", "", "-f", file, *options], check=True)
    passphrase = options[options.index("-N") + 1]
    return Credential(private_key=file.read_text(), passphrase=passphrase)


def test_it_logs_in_with_a_key(sshd: Sshd, pool: Pool) -> None:
    assert pool.run(sshd.target(), WHO).stdout == b"root\n"
    assert sshd.count("Accepted publickey for root") == 1


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ed25519", "-N", "open sesame"),
        ("-t", "ecdsa", "-b", "384", "-N", ""),
        ("-t", "rsa", "-b", "2048", "-N", ""),
        ("-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame"),
        ("-t", "ecdsa", "-m", "PKCS8", "-N", "open sesame"),
    ],
    ids=lambda options: "-".join(options[1:-1]),
)
def test_it_logs_in_with_every_kind_of_key(
    sshd: Sshd, pool: Pool, tmp_path: Path, options: tuple[str, ...]
) -> None:
    credential = made_by_ssh_keygen(tmp_path, *options)
    sshd.authorize((tmp_path / "key.pub").read_text())

    assert pool.run(sshd.target(credential=credential), WHO).ok


def test_it_logs_in_with_a_password(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(PASSWORDS)

    completed = pool.run(sshd.target(username=USER, credential=Credential(password=PASSWORD)), WHO)

    assert completed.stdout == f"{USER}\n".encode()
    assert sshd.count(f"Accepted password for {USER}") == 1


def test_it_tries_the_password_after_the_key(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(PASSWORDS)
    credential = Credential(private_key=make_key_pair().private, password=PASSWORD)

    assert pool.run(sshd.target(credential=credential), WHO).ok
    assert sshd.count("Accepted password for root") == 1


def test_a_key_that_the_server_does_not_know_is_refused(sshd: Sshd, pool: Pool) -> None:
    with pytest.raises(LoginRefused, match="authorized_keys of root") as caught:
        pool.run(sshd.target(credential=Credential(private_key=make_key_pair().private)), WHO)

    assert caught.value.reason == "login_refused"
    assert not caught.value.retryable
    assert sshd.sessions == 0


def test_a_wrong_password_is_refused(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(PASSWORDS)

    with pytest.raises(LoginRefused, match="Is the password right"):
        pool.run(sshd.target(credential=Credential(password="wrong")), WHO)


def test_a_password_where_only_keys_are_taken_is_told_so(sshd: Sshd, pool: Pool) -> None:
    with pytest.raises(LoginRefused, match=r"takes no password for root, only publickey") as caught:
        pool.run(sshd.target(credential=Credential(password=PASSWORD)), WHO)

    assert caught.value.reason == "method_refused"


def test_a_key_where_only_passwords_are_taken_is_told_so(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd("PubkeyAuthentication no\n" + PASSWORDS)

    with pytest.raises(LoginRefused, match=r"takes no key for root, only password") as caught:
        pool.run(sshd.target(), WHO)

    assert caught.value.reason == "method_refused"


def test_a_server_that_wants_two_proofs_is_told_so(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd("AuthenticationMethods publickey,password\n" + PASSWORDS)

    with pytest.raises(LoginRefused, match="second proof") as caught:
        pool.run(sshd.target(), WHO)

    assert caught.value.reason == "second_factor"


def test_two_proofs_are_given_if_there_are_two(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd("AuthenticationMethods publickey,password\n" + PASSWORDS)
    credential = Credential(private_key=sshd.key.private, password=PASSWORD)

    assert pool.run(sshd.target(credential=credential), WHO).ok


def test_an_empty_credential_is_told_so(sshd: Sshd, pool: Pool) -> None:
    with pytest.raises(LoginRefused, match="Enter a private key or a password") as caught:
        pool.run(sshd.target(credential=Credential()), WHO)

    assert caught.value.reason == "no_credential"


def test_a_key_without_its_passphrase_is_told_so(sshd: Sshd, pool: Pool) -> None:
    credential = Credential(private_key=make_key_pair(passphrase="open sesame").private)

    with pytest.raises(LoginRefused, match="protected by a passphrase") as caught:
        pool.run(sshd.target(credential=credential), WHO)

    assert caught.value.reason == "bad_key"


def test_a_login_that_takes_too_long_is_cut(start_sshd: StartSshd, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    # sshd runs a program for the authorized keys only if nobody but root can change any folder above it.
    sshd = start_sshd("AuthorizedKeysCommand /root/slow\nAuthorizedKeysCommandUser root")
    slow.rename(sshd.home / "slow")
    pool = Pool(timeouts=Timeouts(auth_s=0.5))

    with pytest.raises(Unreachable, match="did not finish the login of root in time") as caught:
        pool.run(sshd.target(credential=Credential(private_key=make_key_pair().private)), WHO)

    assert caught.value.reason == "login_timeout"
    assert caught.value.retryable
    pool.close()
