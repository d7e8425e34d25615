"""What is put on a server so that the panel's key opens three root-owned programs there and nothing else.

The programs are the product's own scripts. `commands()` is the whole of what may be asked: the gate and the
sudoers file are made of it, letter by letter, without wildcards.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from ipaddress import ip_address, ip_network

from networks.host import transaction_script
from networks.measure import measure_script
from nodes.commands import Command
from nodes.gate import USER, gate_command
from nodes.probe import probe_script

FOLDER = "/usr/local/lib/vnetpanel"
SUDOERS = "/etc/sudoers.d/vnetpanel"
PROGRAMS = ("probe", "transaction", "measure")

PLANNING = ("plan", "apply", "hold", "prepare")
"""Verbs that panel and server must mean the same by: asked with the version, refused by another one."""
ENDING = ("confirm", "extend", "settle", "abort", "bar", "status", "recover", "follow", "letgo", "forget")
"""Verbs that end what has begun, and so go on when the panel is newer than the programs."""
MOST_ADDRESSES = 8


@dataclass(frozen=True, slots=True)
class Allowed:
    """One line that the key may ask for, and the command that root's sudoers file allows for it."""

    asked: str
    runs: str


@cache
def commands() -> tuple[Allowed, ...]:
    """All that may be asked on a server."""
    looks = (Allowed(name, f"{FOLDER}/{name} -") for name in ("probe", "measure"))
    planning = (Allowed(f"transaction {v} {version()}", f"{FOLDER}/transaction - {v}") for v in PLANNING)
    ending = (Allowed(f"transaction {v}", f"{FOLDER}/transaction - {v}") for v in ENDING)
    return (*looks, *planning, *ending)


def program(name: str) -> str:
    """The text of one of the three programs."""
    texts = {"probe": probe_script, "transaction": transaction_script, "measure": measure_script}
    return texts[name]()


@cache
def version() -> str:
    """Of all that is installed: 16 hexadecimal digits that differ where any of it differs."""
    parts = [program(name) for name in PROGRAMS]
    parts += [files(__package__).joinpath(name).read_text() for name in ("gate.sh", "prepare.sh")]
    parts += [*PLANNING, *ENDING]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def gate() -> str:
    """The program that the key opens."""
    lines = "\n".join(f"'{one.asked}') exec sudo -n -- {one.runs} ;;" for one in commands())
    return _template("gate.sh").replace("@LINES@) ;;", lines).replace("@VERSION@", version())


def sudoers() -> str:
    """The whole sudoers file: each command with its very arguments."""
    allowed = ", \\\n    ".join(one.runs for one in commands())
    return _template("sudoers").replace("@COMMANDS@", allowed)


def authorized_keys(public_key: str, addresses: str, *, old: bool) -> str:
    """The one line of the user's authorized_keys. `old`: for OpenSSH before 7.2, which lacks `restrict`.

    ValueError for what is no public key or no list of addresses.
    """
    if not re.fullmatch(r"ssh-[a-z0-9-]+ [A-Za-z0-9+/=]+( [A-Za-z0-9@._-]+)?", public_key):
        raise ValueError("not the line of a public key")
    nothing = (
        "no-port-forwarding,no-X11-forwarding,no-agent-forwarding,no-pty,no-user-rc" if old else "restrict"
    )
    return f'{nothing},from="{checked_addresses(addresses)}",command="{FOLDER}/gate" {public_key}\n'


def checked_addresses(text: str) -> str:
    """Addresses and networks between commas or blanks, as `from=` wants them. ValueError names a bad one."""
    words = re.split(r"[\s,]+", text.strip(" ,\n\t"))
    if not 1 <= len(words) <= MOST_ADDRESSES or not words[0]:
        raise ValueError(f"Enter between one and {MOST_ADDRESSES} addresses.")
    found = []
    for word in words:
        try:
            if "%" in word:
                raise ValueError
            found.append(str(ip_network(word) if "/" in word else ip_address(word)))
        except ValueError:
            raise ValueError(f"“{word[:60]}” is no IP address and no network.") from None
    return ",".join(dict.fromkeys(found))


def preparation(public_key: str, addresses: str, *, old: bool) -> str:
    """The script that an administrator, as root, prepares a server with; repeated it brings it up to date."""
    texts = {
        **{name: program(name) for name in PROGRAMS},
        "gate": gate(),
        "sudoers": sudoers(),
        "key": authorized_keys(public_key, addresses, old=old),
    }
    script = _template("prepare.sh").replace("@VERSION@", version())
    for name, text in texts.items():
        if "VNP_END" in text:
            raise ValueError(f"{name}: the mark of its end is in it")
        script = script.replace(f"@{name}@\n", text if text.endswith("\n") else text + "\n")
    return script


def removal() -> str:
    """The script that takes all of it off a server again, run as root."""
    return _template("remove.sh")


def transaction_command(verb: str, *arguments: str, stdin: str = "") -> Command:
    """A verb of the transaction script with its arguments, as the gate takes it."""
    words = ("transaction", verb, version()) if verb in PLANNING else ("transaction", verb)
    return gate_command(*words, arguments=" ".join(arguments), stdin=stdin.encode())


@cache
def _template(name: str) -> str:
    text = files(__package__).joinpath(name).read_text()
    return text.replace("@FOLDER@", FOLDER).replace("@SUDOERS@", SUDOERS).replace("@USER@", USER)
