"""The probe as a command: one exec per look (nodes/probe.sh; its answer is read by nodes/probe_output.py)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nodes.commands import Command

MAX_LOOK_BYTES = 2 * 1024 * 1024
"""A longer look is none. The sections' own limits (in the script) add up to less."""

AND_LOOK_S = 25
"""A look after another command is ended by the server: the answer must not wait for it for ever."""

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


def probe_command(nonce: str, known: Sequence[str] = ()) -> Command:
    """The command of one look; give the same nonce to `parse_look`. `known`: nodes/remembered.py."""
    if not re.fullmatch(r"[0-9a-f]{16,64}", nonce):
        raise ValueError("a nonce is 16 to 64 hexadecimal digits")
    return Command(("sh", "-s", nonce, *known), stdin=probe_script().encode())


_AND_LOOK = (
    'most=$1 known=$2; shift 2; read -r began _ </proc/uptime; "$@" </dev/null || exit; '
    "read -r ended _ </proc/uptime; "
    'printf "\\n@%s after %s %s\\n" "$0" "$began" "$ended"; export PROBE_STARTED="$began"; '
    'if command -v timeout >/dev/null; then exec timeout -s KILL "$most" sh -s "$0" $known; fi; '
    'exec sh -s "$0" $known'
)


_AFTER = re.compile(rb"\n@([0-9a-f]{16,64}) after (\d{1,12}\.\d{1,2}) (\d{1,12}\.\d{1,2})(?=\n)")


def and_look(command: Command, nonce: str, look_s: int = AND_LOOK_S, known: Sequence[str] = ()) -> Command:
    """That command, and after it, if it succeeds, a look, as one exec: a session costs as much as a look.

    The command must not read its standard input. If it fails, its exit status and what it printed are all.
    The look is cut after `look_s` seconds. `known`: see nodes/remembered.py.
    """
    probe = probe_command(nonce)
    words = ("sh", "-c", _AND_LOOK, nonce, str(look_s), " ".join(known), *command.argv)
    return Command(words, stdin=probe.stdin, secrets=command.secrets)


@dataclass(frozen=True, slots=True)
class AndLook:
    """What an `and_look` command printed: `before` is the command's, `look` the probe's, which came after.

    `look_after_s`: so long after its beginning the command had ended.
    """

    before: bytes
    look: bytes
    look_after_s: float


def parted(stdout: bytes, nonce: str) -> AndLook | None:
    """The two parts of what an `and_look` command printed. None: the command failed, so nobody looked."""
    ours = nonce.encode()
    found = next((found for found in _AFTER.finditer(stdout) if found[1] == ours), None)
    if found is None:
        return None
    took = max(0.0, float(found[3]) - float(found[2]))
    return AndLook(stdout[: found.start()], stdout[found.end() + 1 :], took)
