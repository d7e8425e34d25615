"""Read a transcript: blocks of a command, what it said, its exit code, and then what was looked at.

Format of the captures and of the cases alike:

    ### vzctl set 101 --netif_add eth0 --save
      out: a line of standard output
      err: a line of standard error
      rc=0
    anything else, up to the next command
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Block:
    """One command of a transcript; ``rc`` is None where the transcript has none."""

    number: int
    command: str
    out: tuple[str, ...]
    err: tuple[str, ...]
    rc: int | None
    after: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The command as words. Transcripts have it unquoted; only values of options can have held blanks."""
        if not re.match(r"vzctl (set|create) ", self.command):
            return tuple(self.command.split(" "))
        first, *options = re.split(r" (?=--[a-z])", self.command)
        return (*first.split(" "), *(word for option in options for word in option.split(" ", 1)))


def blocks(path: Path) -> list[Block]:
    """All blocks of a transcript; what stands before the first command is left out."""
    found = []
    for number, text in enumerate(path.read_text().split("### ")[1:], 1):
        command, *lines = text.split("\n")
        code = [line for line in lines if re.fullmatch(r"  rc=\d+", line)]
        found.append(
            Block(
                number=number,
                command=command,
                out=_said(lines, "out"),
                err=_said(lines, "err"),
                rc=int(code[0].partition("=")[2]) if code else None,
                after=tuple(x for x in lines if x and not re.match(r"  (out|err): |  rc=\d", x)),
            )
        )
    return found


def _said(lines: list[str], stream: str) -> tuple[str, ...]:
    return tuple(line[7:] for line in lines if line.startswith(f"  {stream}: "))
