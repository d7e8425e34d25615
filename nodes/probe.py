"""The probe as a command: one exec per look (nodes/probe.sh; its answer is read by nodes/probe_output.py)."""

from __future__ import annotations

import re
import secrets
from functools import cache
from pathlib import Path

from nodes.commands import Command

MAX_LOOK_BYTES = 2 * 1024 * 1024
"""A longer look is none. The sections' own limits (in the script) add up to less."""

DEADLINE_S = 30.0
"""After this long, a look is given up. The probe's own limits end most looks much earlier."""


@cache
def probe_script() -> str:
    """The text of the probe, without the lines that are only for those who read it."""
    text = Path(__file__).with_name("probe.sh").read_text(encoding="utf-8")
    # bash reads a script from a pipe byte by byte, so comments cost time on every look.
    return re.sub(r"(?m)^[ \t]*#(?!!).*\n|^\n", "", text)


def new_nonce() -> str:
    """A separator for one look that nobody can guess: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def probe_command(nonce: str) -> Command:
    """The command of one look; give the same nonce to `parse_look`."""
    if not re.fullmatch(r"[0-9a-f]{16,64}", nonce):
        raise ValueError("a nonce is 16 to 64 hexadecimal digits")
    return Command(("sh", "-s", nonce), stdin=probe_script().encode())
