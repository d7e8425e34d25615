"""Commands under sudo, for servers where the panel does not log in as root."""

from __future__ import annotations

from nodes.ssh.errors import NoSudo

SUDO = ("sudo", "-n", "--")

# What sudo says instead of running anything, most telling first. The wording is that of sudo 1.8 and 1.9 and
# of the shells that do not find it.
_ANSWERS = (
    (
        ("sudo: not found", "sudo: command not found", "sudo: no such file", "sudo: permission denied"),
        "no_sudo",
        "sudo is not installed on the server (or not on the user's PATH). Install it, or log in as root.",
    ),
    (
        ("must have a tty", "no tty present and no askpass", "a terminal is required"),
        "sudo_terminal",
        "sudo on the server wants a terminal or a password. Add “NOPASSWD:” and “Defaults:USER !requiretty”"
        " for this user to the sudoers file.",
    ),
    (
        ("a password is required", "interactive authentication is required"),
        "sudo_password",
        "sudo on the server asks for a password. Add “NOPASSWD:” for this user to the sudoers file.",
    ),
    (
        ("is not in the sudoers file", "is not allowed to execute", "may not run sudo", "sudo: "),
        "sudo_refused",
        "sudo on the server does not let this user run the panel's commands. Add the user to the sudoers"
        " file.",
    ),
)


def require_sudo(exit_status: int, stdout: bytes, stderr: bytes) -> None:
    """Raise NoSudo if it was sudo that answered, and not the command behind it."""
    if exit_status not in (1, 126, 127) or stdout:
        return
    lines = stderr.decode("utf-8", "replace").lower().splitlines()
    said = [line for line in lines if line.strip() and "sudo: unable to resolve host" not in line]
    # What ran behind sudo would have had the last word.
    words = said[-1] if said else ""
    for marks, reason, sentence in _ANSWERS:
        if any(mark in words for mark in marks):
            raise NoSudo(sentence, reason=reason)
