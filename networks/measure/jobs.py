"""What is asked of one server: pings and ARP requests from places on it, every letter checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

MOST_PROBES = 64
"""From one place at most so many pings, and so many ARP requests."""
_LINK = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_CTID = re.compile(r"[0-9a-fA-F-]{1,36}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where probes start: a running container, or the server itself (`ctid` "").

    `arps` are (link, address); the link is "" inside a container, where all links are tried.
    """

    ctid: str = ""
    pings: tuple[str, ...] = ()
    arps: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Witness:
    """Answers on a VLAN of an adapter for some seconds, so that others can be tried against it."""

    link: str
    vid: int
    address: str
    seconds: int = 12


def job_lines(places: tuple[Place, ...], witnesses: tuple[Witness, ...] = ()) -> list[str]:
    """The jobs as the script reads them. ValueError for what is no address, link or CTID."""
    return [*map(_witness, witnesses), *map(_place, places)]


def _place(place: Place) -> str:
    if place.ctid and not _CTID.fullmatch(place.ctid):
        raise ValueError(f"{place.ctid!r} is no CTID")
    words = [f"ping={_address(address)}" for address in place.pings[:MOST_PROBES]]
    for link, address in place.arps[:MOST_PROBES]:
        words.append(f"arp={_link(link)},{_address(address)}" if link else f"arp={_address(address)}")
    return " ".join([f"ct {place.ctid}" if place.ctid else "server -", *words])


def _witness(witness: Witness) -> str:
    if not 1 <= witness.vid <= 4094 or not 1 <= witness.seconds <= 30:
        raise ValueError(f"not a witness: {witness}")
    _address(witness.address.partition("/")[0])
    address = ip_interface(witness.address)
    return f"witness {_link(witness.link)},{witness.vid},{address.with_prefixlen} {witness.seconds}"


def _address(text: str) -> str:
    if "%" in text:
        raise ValueError(f"{text!r} has a scope, which may be any text")
    return str(ip_address(text))


def _link(text: str) -> str:
    if not _LINK.fullmatch(text) or text.startswith("-"):
        raise ValueError(f"{text!r} is no link")
    return text
