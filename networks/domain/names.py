"""Names that links get on the servers: at most 15 bytes, deterministic, unique."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import replace
from hashlib import sha256

from networks.domain.state import Desired

LINK_NAME_BYTES = 15
"""IFNAMSIZ in linux/if.h is 16 with the final NUL."""

BRIDGE_PREFIX = "vn-"
RESERVED = frozenset({"vn-none"})
""" "vn-none" is what vzctl 4 has saved for an interface in no network."""

_LINK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
_NOT_NAMES = frozenset({"all", "default", "lo"})


def is_link_name(name: str) -> bool:
    """Whether the kernel and the transaction's grammar take the name for a link."""
    return _LINK_NAME.fullmatch(name) is not None and name not in _NOT_NAMES


def bridge_name(network_name: str, taken: Collection[str]) -> str:
    """The bridge of a network of that name: "vn-" and a slug, cut and numbered until it is not in `taken`.

    "Web Servers" gives "vn-web-servers"; a name without Latin letters or digits gives one from its hash.
    """
    plain = unicodedata.normalize("NFKD", network_name).encode("ascii", "ignore").decode().lower()
    slug = "-".join(re.findall(r"[a-z0-9]+", plain)) or sha256(network_name.encode()).hexdigest()[:6]
    room = LINK_NAME_BYTES - len(BRIDGE_PREFIX)
    number = 1
    while True:
        ending = "" if number == 1 else f"-{number}"
        name = BRIDGE_PREFIX + slug[: room - len(ending)].rstrip("-") + ending
        if name not in taken and name not in RESERVED:
            return name
        number += 1


def vlan_name(base: str, vid: int) -> str:
    """The usual name "eth0.100"; where that is too long, the base is cut and told apart by a hash."""
    name = f"{base}.{vid}"
    if len(name.encode()) <= LINK_NAME_BYTES:
        return name
    ending = f"-{sha256(base.encode()).hexdigest()[:3]}.{vid}"
    return base.encode("ascii", "ignore").decode()[: LINK_NAME_BYTES - len(ending)] + ending


def name_bridges(state: Desired, taken: Collection[str] = ()) -> Desired:
    """The state with a bridge name for every network that has none: the same on every server.

    `taken` are names of bridges that exist on any server. Names given before are kept for good.
    """
    if all(network.bridge for network in state.networks):
        return state
    used = {network.bridge for network in state.networks} | set(taken)
    named = []
    for network in state.networks:
        if not network.bridge:
            network = replace(network, bridge=bridge_name(network.name, used))
            used.add(network.bridge)
        named.append(network)
    return replace(state, networks=tuple(named))
