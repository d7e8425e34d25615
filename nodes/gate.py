"""How the panel speaks to a server where it is a user who may run three programs only.

Its key opens one program there, the gate, which takes a few lines letter by letter (networks/gate) and runs
the root-owned programs behind it. Everything else is said on standard input. Servers where the panel logs in
as root or with sudo get scripts instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodes.commands import Command
from nodes.probe import probe_command
from nodes.ssh.errors import CommandRefused, NoSudo
from nodes.ssh.sudo import require_sudo

if TYPE_CHECKING:
    from nodes.models import PhysicalServer
    from nodes.ssh import Completed

USER = "vnetpanel"
REFUSED = 64
"""Exit status of the gate for a line that it does not know."""

_REFUSAL = re.compile(rb"vnetpanel-gate ([0-9a-f]{16}) refuses this\n?")


class OtherPrograms(CommandRefused):
    """The gate does not know the line: its programs are of another version. Nothing was run."""

    reason = "other_programs"


def gate_command(*words: str, arguments: str = "", stdin: bytes = b"") -> Command:
    """A line that the gate takes; `arguments` become the first line of standard input, `stdin` the rest."""
    return Command(words, stdin=arguments.encode() + b"\n" + stdin)


def probe_for(server: PhysicalServer, nonce: str, known: Sequence[str] = ()) -> Command:
    """The command of one look, as this server takes it; the panel's user there is asked for everything."""
    return gate_command("probe", arguments=nonce) if server.by_gate else probe_command(nonce, known)


def checked(server: PhysicalServer, done: Completed) -> Completed:
    """The same, unless the gate or sudo answered in the place of the program: OtherPrograms or NoSudo."""
    if server.by_gate:
        require_gate(server.name, done)
    return done


def require_gate(name: str, done: Completed) -> None:
    """Raise OtherPrograms or NoSudo if the gate or sudo answered, and not the program behind them."""
    if done.exit_status == REFUSED and (refusal := _REFUSAL.fullmatch(done.stdout)):
        raise OtherPrograms(
            f"The panel's programs on {name} are of an earlier version ({refusal[1].decode()}). Update them "
            "with an administrator's login: “Prepare server” on the server's page."
        )
    try:
        require_sudo(done.exit_status, done.stdout, done.stderr)
    except NoSudo as error:
        raise NoSudo(
            f"sudo on {name} does not run the panel's programs. {error.sentence} “Prepare server” on the "
            "server's page puts the panel's own sudoers file there again.",
            reason=error.reason,
        ) from None
