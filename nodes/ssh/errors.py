"""What can go wrong between the panel and a server, each as a type, a code and a sentence for people.

The sentence says what happened and what to do next, in the words of the pages. No error carries a credential.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodes.ssh.hostkey import HostKey


class SshError(Exception):
    """Base of all errors of the SSH transport.

    `reason` is a stable code for programs. `retryable`: the same may work later without anybody changing
    anything. `started`: the server may have begun to run the command; whether to repeat it is the caller's
    decision.
    """

    reason: str = "ssh"
    retryable: bool = False
    started: bool = False

    def __init__(
        self,
        sentence: str,
        *,
        reason: str | None = None,
        retryable: bool | None = None,
        started: bool | None = None,
    ) -> None:
        super().__init__(sentence)
        if reason is not None:
            self.reason = reason
        if retryable is not None:
            self.retryable = retryable
        if started is not None:
            self.started = started

    @property
    def sentence(self) -> str:
        """What happened and what to do next, to be shown as it is."""
        return str(self.args[0])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason}: {self.sentence})"


class Unreachable(SshError):
    """No SSH conversation came about.

    Reasons: `refused`, `timeout`, `no_route`, `name_unknown`, `closed` (hung up before a greeting), `silent`
    (no greeting), `too_many_logins` (the server sheds load), `handshake`, `packet_too_large`,
    `login_timeout`, `network`.
    """

    reason = "network"
    retryable = True


class NotAnSshServer(SshError):
    """Something else than an SSH server (version 2) answers on the port."""

    reason = "not_ssh"


class OldAlgorithms(SshError):
    """No algorithm in common. Reasons: `old_algorithms` (legacy SSH would help), `no_common_algorithm`."""

    reason = "old_algorithms"


class HostKeyUnknown(SshError):
    """No host key of the server has been approved, so nothing was sent to it."""

    reason = "host_key_unknown"


class HostKeyChanged(SshError):
    """The server showed a key that is not among the approved ones; nothing was sent to it.

    `old` are the approved keys, `new` is the one shown.
    """

    reason = "host_key_changed"

    def __init__(self, sentence: str, *, old: tuple[HostKey, ...] = (), new: HostKey | None = None) -> None:
        super().__init__(sentence)
        self.old = old
        self.new = new


class LoginRefused(SshError):
    """The server does not let this user in.

    Reasons: `login_refused`, `method_refused` (keys or passwords are not taken at all), `second_factor`,
    `bad_key` (the stored key cannot be used), `no_credential`.
    """

    reason = "login_refused"


class NoSudo(SshError):
    """Logged in, but `sudo -n` is missing, asks for a password, wants a terminal or does not allow it.

    Reasons: `no_sudo` (not installed), `sudo_password`, `sudo_terminal`, `sudo_refused`.
    """

    reason = "no_sudo"
    # sudo itself answered: the command behind it never ran.
    started = False


class CommandRefused(SshError):
    """Logged in, but the server opens no session or runs no command for this user.

    Reasons: `session_refused`, `command_refused`.
    """

    reason = "command_refused"


class ServerBusy(SshError):
    """Other commands of the panel held all the server's sessions until the deadline; nothing was sent."""

    reason = "busy"
    retryable = True


class CommandTimeout(SshError):
    """The command was cut at its deadline.

    Reasons: `command_timeout`, `output_held_open` (it ended, but something it started keeps its output open).
    """

    reason = "command_timeout"
    retryable = True
    started = True


class OutputTooLarge(SshError):
    """The command was cut because it printed more than `limit` bytes on `stream` (`stdout` or `stderr`)."""

    reason = "output_too_large"
    started = True

    def __init__(self, sentence: str, *, stream: str = "stdout", limit: int = 0) -> None:
        super().__init__(sentence)
        self.stream = stream
        self.limit = limit


class ConnectionLost(SshError):
    """The connection broke. Reasons: `lost_at_login`, `lost_before_start`, `lost_midway`, and at any of these
    times `packet_too_large`; see `started`.
    """

    reason = "lost_midway"
    retryable = True


class KeyNotReadable(ValueError):
    """A pasted private key that cannot be used.

    Reasons: `empty`, `public_key`, `putty`, `certificate`, `passphrase_needed`, `passphrase_wrong`,
    `damaged`, `unsupported`.
    """

    def __init__(self, sentence: str, *, reason: str = "damaged") -> None:
        super().__init__(sentence)
        self.reason = reason

    @property
    def sentence(self) -> str:
        """What is wrong with the key and what to paste instead."""
        return str(self.args[0])
