"""Commands under sudo -n, and each way in which a server's sudo does not work."""

from __future__ import annotations

import shutil

import pytest

from nodes.commands import Command
from nodes.ssh import Pool
from nodes.ssh.errors import NoSudo
from nodes.ssh.sudo import require_sudo
from tests.conftest import CI
from tests.ssh.conftest import StartSshd
from tests.sshd import USER, Sshd

WHO = Command(("id", "-un"))
ALLOWED = f"root ALL=(ALL) ALL\n{USER} ALL=(root) NOPASSWD: ALL\n"


@pytest.fixture(autouse=True)
def needs_sudo() -> None:
    if not shutil.which("sudo"):
        (pytest.fail if CI else pytest.skip)("needs sudo (apt install sudo)")


def test_commands_run_as_root_under_sudo(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(sudoers=ALLOWED)

    assert pool.run(sshd.target(username=USER, sudo=True), WHO).stdout == b"root\n"
    assert pool.run(sshd.target(username=USER), WHO).stdout == f"{USER}\n".encode()
    assert sshd.commands == 2


def test_words_and_input_pass_through_sudo_unchanged(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(sudoers=ALLOWED)
    command = Command(("sh", "-c", 'printf "%s|" "$@"; cat', "sh", "it's", "$(id)", "-n", ""), b"\0input")

    assert pool.run(sshd.target(username=USER, sudo=True), command).stdout == b"it's|$(id)|-n||\0input"


def test_the_status_of_the_command_is_no_failure_of_sudo(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(sudoers=ALLOWED)
    target = sshd.target(username=USER, sudo=True)

    completed = pool.run(target, Command(("sh", "-c", "echo failed >&2; exit 1")))
    assert (completed.exit_status, completed.stderr) == (1, b"failed\n")
    assert pool.run(target, Command(("sh", "-c", "exit 127"))).exit_status == 127


def test_a_sudo_that_asks_for_a_password_is_told_so(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(sudoers=f"{USER} ALL=(root) ALL\n")

    with pytest.raises(NoSudo, match=r"asks for a password.*NOPASSWD") as caught:
        pool.run(sshd.target(username=USER, sudo=True), WHO)

    assert caught.value.reason == "sudo_password"
    assert not caught.value.started
    assert not caught.value.retryable


def test_a_user_whom_sudo_does_not_know_is_told_so(start_sshd: StartSshd, pool: Pool) -> None:
    # sudo -n asks a stranger for a password too: it does not tell strangers that they are some.
    sshd = start_sshd(sudoers="root ALL=(ALL) ALL\n")

    with pytest.raises(NoSudo, match="sudoers file"):
        pool.run(sshd.target(username=USER, sudo=True), WHO)


def test_a_user_who_may_run_something_else_only_is_told_so(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(sudoers=f"Defaults !authenticate\n{USER} ALL=(root) /bin/true\n")

    with pytest.raises(NoSudo, match="does not let this user run") as caught:
        pool.run(sshd.target(username=USER, sudo=True), WHO)

    assert caught.value.reason == "sudo_refused"


def test_a_sudo_that_wants_a_terminal_is_told_so(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(sudoers=f"Defaults requiretty\n{ALLOWED}")

    with pytest.raises(NoSudo, match="requiretty") as caught:
        pool.run(sshd.target(username=USER, sudo=True), WHO)

    assert caught.value.reason == "sudo_terminal"


def test_a_server_without_sudo_is_told_so(start_sshd: StartSshd, pool: Pool) -> None:
    sshd = start_sshd(env={"PATH": "/nowhere"})

    with pytest.raises(NoSudo, match="not installed") as caught:
        pool.run(sshd.target(username=USER, sudo=True), WHO)

    assert caught.value.reason == "no_sudo"


def test_the_connection_stays_when_only_sudo_failed(sshd: Sshd, pool: Pool) -> None:
    for _ in range(2):
        with pytest.raises(NoSudo):
            pool.run(sshd.target(username=USER, sudo=True), WHO)

    assert sshd.connections == 1


# Wording of other versions and shells, from their sources.
@pytest.mark.parametrize(
    ("status", "stderr", "reason"),
    [
        (127, "sh: 1: sudo: not found\n", "no_sudo"),
        (127, "bash: sudo: command not found\n", "no_sudo"),
        (127, "-sh: sudo: not found\n", "no_sudo"),
        (126, "bash: /usr/bin/sudo: Permission denied\n", "no_sudo"),
        (1, "sudo: sorry, you must have a tty to run sudo\n", "sudo_terminal"),
        (1, "sudo: no tty present and no askpass program specified\n", "sudo_terminal"),
        (1, "sudo: sorry, a password is required to run sudo\n", "sudo_password"),
        (1, "sudo: a password is required\n", "sudo_password"),
        (1, "sudo: interactive authentication is required\n", "sudo_password"),
        (1, "panel is not in the sudoers file.  This incident will be reported.\n", "sudo_refused"),
        (1, "Sorry, user panel is not allowed to execute '/bin/id' as root on node1.\n", "sudo_refused"),
        (1, "sudo: parse error in /etc/sudoers near line 3\n", "sudo_refused"),
    ],
)
def test_it_knows_the_words_of_other_versions(status: int, stderr: str, reason: str) -> None:
    with pytest.raises(NoSudo) as caught:
        require_sudo(status, b"", stderr.encode())

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("status", "stdout", "stderr"),
    [
        (0, b"", b"sudo: unable to resolve host node1\n"),
        (1, b"output", b"sudo: a password is required\n"),
        (2, b"", b"sudo: a password is required\n"),
        (1, b"", b"vzlist: Container not found\n"),
        (1, b"", b"\xff\xfe"),
        (1, b"", b"sudo: unable to resolve host node1: Name or service not known\nvzlist: failed\n"),
    ],
)
def test_it_takes_nothing_else_for_a_failure_of_sudo(status: int, stdout: bytes, stderr: bytes) -> None:
    require_sudo(status, stdout, stderr)
