"""Which names and identifiers are acceptable, and how foreign text is made harmless.

Two strengths on purpose: what we are ready to *write* on a server (`require_*`) is narrower than what we
are ready to *show* after finding it there (`shown_link_name`, `clean`).
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Literal, NamedTuple

LINK_NAME_BYTES = 15
"""The kernel's IFNAMSIZ is 16 with the closing NUL. vzctl 4 accepts 16 characters for --bridge, --ifname and
--host_ifname into that buffer (vzctl 4.11 src/lib/config.c:1703-1742), so the limit is ours to keep."""

LONGEST_ADDRESS = 64
"""Characters of an address with its prefix: more than any has."""

_CTID = re.compile(
    r"[1-9][0-9]{0,9}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
_LINK_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
# Besides the control characters: the marks that turn the direction of text, which can disguise a name.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff]")


class BadName(ValueError):
    """A name, identifier or address that may not be written on a server."""


class HostAddress(NamedTuple):
    """An address with the length of its prefix in bits."""

    family: Literal[4, 6]
    address: str
    prefix: int

    @property
    def cidr(self) -> str:
        return f"{self.address}/{self.prefix}"


def clean(text: str, limit: int) -> str:
    """Text for people: no terminal sequences, no control or direction characters, at most `limit` long.

    Markup is left as it is; the templates escape it.
    """
    # Nearly every text is one of these, and there are hundreds in a look.
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text.strip()
    text = _UNSEEN.sub("", _ANSI.sub("", text[: limit * 8])).replace("\n", " ").replace("\t", " ").strip()
    return text[:limit]


def is_ctid(text: str) -> bool:
    """A container's identifier: a number (vzctl 4, migrated ones) or a UUID (7+). 0 is the server."""
    return _CTID.fullmatch(text) is not None


def shown_link_name(text: str) -> str:
    """The name of a link as the kernel may have it, or "" if no kernel allows it."""
    if _LINK_NAME.fullmatch(text):
        return text
    if not text or text in {".", ".."} or len(text.encode(errors="replace")) > LINK_NAME_BYTES:
        return ""
    return text if not re.search(r"[\s/:]", text) and clean(text, LINK_NAME_BYTES) == text else ""


def shown_mac(text: str) -> str:
    """A MAC as the kernel writes it, lower-case, or "" if it is none."""
    return text.lower() if _MAC.fullmatch(text) else ""


def host_address(text: str) -> HostAddress | None:
    """Read `address`, `address/len` or `address/dotted-mask`; None if it is no address.

    vzctl writes dotted masks for IPv4 (libvzctl lib/veth.c, writer of NETIF).
    """
    if len(text) > LONGEST_ADDRESS or "%" in text:
        return None  # a scope is no part of what we store or write
    return _host_address(text)


@lru_cache(maxsize=4096)
def _host_address(text: str) -> HostAddress | None:
    """One look after the other names the same addresses, and reading one costs more than all else of it."""
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return None
    return HostAddress(interface.version, str(interface.ip), interface.network.prefixlen)


def network_address(text: str) -> HostAddress | None:
    """The network of `address` or `address/len`, the address of a host in it included; None if it is none."""
    return _network_address(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=4096)
def _network_address(text: str) -> HostAddress | None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return HostAddress(network.version, str(network.network_address), network.prefixlen)


def require_ctid(text: str) -> str:
    """The identifier if it is one; else BadName."""
    if not is_ctid(text):
        raise BadName(f"not a container's identifier: {clean(text, 64)!r}")
    return text


def require_link_name(text: str) -> str:
    """The name if we are ready to write it on a server; else BadName."""
    if not _LINK_NAME.fullmatch(text):
        raise BadName(
            f"not a name for a network link (letters, digits, . _ -, at most {LINK_NAME_BYTES}): "
            f"{clean(text, 64)!r}"
        )
    return text


def require_mac(text: str) -> str:
    """The MAC if it is a unicast one; else BadName."""
    if not _MAC.fullmatch(text) or int(text[:2], 16) & 1:
        raise BadName(f"not a MAC address of one interface: {clean(text, 64)!r}")
    return text.lower()


def require_address(text: str) -> HostAddress:
    """`address` or `address/len`; else BadName."""
    found = host_address(text)
    if found is None:
        raise BadName(f"not an IP address: {clean(text, 64)!r}")
    return found
