"""A command as a value: what to run on a server, not how.

Commands are built from checked values, compared with `==` in tests, shown masked in logs and on pages, and
quoted for a shell in exactly one place (`Command.shell`).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

MASK = "***"


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its arguments and what it reads on its standard input.

    `secrets` are pieces of text (passwords, say) that `__str__` and `repr` replace by `***`.
    """

    argv: tuple[str, ...]
    stdin: bytes = field(default=b"", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Refuse what no program can be given: an empty command line, or a NUL in an argument."""
        if not self.argv or not self.argv[0]:
            raise ValueError("a command needs the name of a program")
        if any("\0" in word for word in self.argv):
            raise ValueError("an argument of a command cannot contain a NUL")

    def shell(self) -> str:
        """The command line for a POSIX shell, every word quoted. Not masked: for running only."""
        return shlex.join(self.argv)

    def __str__(self) -> str:
        """The command line for people, secrets masked."""
        line = self.shell()
        # The quoted form of a secret is searched as well: quoting may have changed how it looks.
        for secret in filter(None, self.secrets):
            line = line.replace(shlex.quote(secret), MASK).replace(secret, MASK)
        return line

    def __repr__(self) -> str:
        return f"Command({self!s})"
