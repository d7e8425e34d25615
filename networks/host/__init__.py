"""What runs on a server: the transaction script, its grammar and its answers.

The script is written in parts (`NN-*.sh`, and the awk programs they use) and sent as one text.
`README.md` beside this file documents its verbs, files and states.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

LIBRARY = "/var/lib/vnetpanel"
"""Where the script is kept on a server; root's, mode 0700."""


@cache
def transaction_script() -> str:
    """The whole transaction script: POSIX sh, one text, the same for every server."""
    here = files(__package__)
    parts = {part.name: part.read_text() for part in here.iterdir() if part.name[:2].isdigit()}
    # A dead-man may end before he has read the rest.
    ground = [parts[name] for name in sorted(parts) if name < "30"]
    rest = [parts[name] for name in sorted(parts) if name >= "30"]
    programs = []
    for name in ("plan", "look", "compose", "converge", "netif"):
        text = here.joinpath(f"{name}.awk").read_text()
        if "'" in text:
            raise ValueError(f"{name}.awk: an apostrophe would end the shell's quotes around it")
        programs.append(f"AWK_{name.upper()}='{text}'\n")
    texts = []
    for word, file in (("hook", "vznet-hook.sh"), ("guest", "guest.sh")):
        text = here.joinpath(file).read_text()
        texts.append(f"{word}_text() {{\n\tcat <<'VNP_TEXT'\n{text}VNP_TEXT\n}}\n")
    return "\n".join(["#!/bin/sh", *ground, *programs, *texts, *rest])


@cache
def script_digest() -> str:
    """SHA-256 of the script (64 hex digits): its content is its address."""
    return hashlib.sha256(transaction_script().encode()).hexdigest()


@cache
def script_path() -> str:
    """Where this very script is on a server once it is installed; run it as `sh PATH VERB …`."""
    return f"{LIBRARY}/transaction-{script_digest()[:16]}.sh"


def installation() -> tuple[tuple[str, ...], bytes]:
    """The command (argv) and standard input that put the script where `script_path()` says.

    Whole or not at all, and only if what arrived is what was sent; repeating it, or doing it twice at once,
    changes nothing. Exit code 0, or 74 when it could not be written or arrived damaged.
    """
    # Without the fsync a power cut soon after leaves an empty file under the right name (seen on ext4).
    program = (
        'umask 077; new=$1.$$; mkdir -p "${1%/*}" && dd of="$new" conv=fsync 2>/dev/null '
        '&& [ "$(sha256sum <"$new")" = "$2  -" ] && chmod 0700 "$new" && mv -f "$new" "$1" '
        '|| { rm -f "$new"; exit 74; }'
    )
    argv = ("sh", "-c", program, "install", script_path(), script_digest())
    return argv, transaction_script().encode()
