"""What the script said, read strictly: server output is hostile, and a guest may have written parts of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

MOST_BYTES = 1024 * 1024
_MAC = re.compile(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}")


class BadMeasure(ValueError):
    """The answer is none, or was cut off."""


@dataclass(slots=True)
class Heard:
    """What was heard at one place of a server.

    `pings` by address: answered or not. `arps` by (link, address): the MAC that answered, "" if none did,
    None if arping could not tell. `missing` are tools that are not there: what they would show is unknown.
    """

    macs: set[str] = field(default_factory=set)
    pings: dict[str, bool] = field(default_factory=dict)
    arps: dict[tuple[str, str], str | None] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    witness: Literal["", "ready", "failed"] = ""

    def with_more(self, later: Heard) -> Heard:
        """What was heard in two tries: an answer in one of them is an answer."""
        return Heard(
            self.macs | later.macs,
            self.pings
            | {address: got or self.pings.get(address, False) for address, got in later.pings.items()},
            self.arps | {key: mac or self.arps.get(key) or mac for key, mac in later.arps.items()},
            self.missing | later.missing,
            later.witness or self.witness,
        )


def read_answer(output: bytes, nonce: str) -> dict[str, Heard]:
    """What was heard, by place: a CTID, or "" for the server itself.

    Lines that are not as the script writes them are passed over. Raises BadMeasure without the last line.
    """
    text = output[:MOST_BYTES].decode("ascii", "replace")
    found: dict[str, Heard] = {}
    is_whole = False
    for line in text.splitlines():
        words = line.split(" ")
        if words[0] != f"@{nonce}":
            continue
        if words[1:] == ["done"]:
            is_whole = True
        elif len(words) >= 3:
            place = "" if words[1] == "-" else words[1]
            _take(found.setdefault(place, Heard()), words[2:])
    if not is_whole:
        raise BadMeasure("The measurement was cut off.")
    return found


def _take(heard: Heard, words: list[str]) -> None:
    match words:
        case ["mac", _, mac] if _MAC.fullmatch(mac):
            # The loopback has only zeros.
            heard.macs |= {_mac(mac)} - {"00:00:00:00:00:00"}
        case ["ping", address, ("yes" | "no") as answer] if _is_address(address):
            heard.pings[str(ip_address(address))] = answer == "yes"
        case ["arp", link, address, answer] if _is_address(address):
            if answer == "none":
                heard.arps[link, address] = ""
            elif answer == "unknown":
                heard.arps[link, address] = None
            elif _MAC.fullmatch(answer):
                heard.arps[link, address] = _mac(answer)
        case ["missing", ("ping" | "arping") as tool]:
            heard.missing.add(tool)
        case ["no-way-in"]:
            heard.missing |= {"ping", "arping"}
        case ["witness", ("ready" | "failed") as state]:
            heard.witness = state


def _mac(text: str) -> str:
    return ":".join(part.zfill(2) for part in text.lower().split(":"))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
