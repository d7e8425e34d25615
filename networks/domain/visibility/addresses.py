"""IP addresses as numbers: an installation has a hundred thousand, and each is read once."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address, ip_interface
from typing import NamedTuple

BITS = {4: 32, 6: 128}
_QUAD = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})(?:/([0-9]{1,3}))?").fullmatch


class Ip(NamedTuple):
    """An address with its prefix length; `prefix` is 32 or 128 for one that stands alone."""

    version: int
    value: int
    prefix: int

    @property
    def network(self) -> tuple[int, int, int]:
        """The subnet, equal for addresses of one."""
        shift = BITS[self.version] - self.prefix
        return self.version, self.value >> shift, self.prefix

    def covers(self, other: Ip) -> bool:
        """Whether the other address is in this one's subnet."""
        shift = BITS[self.version] - self.prefix
        return self.version == other.version and self.value >> shift == other.value >> shift

    def __str__(self) -> str:
        """The address without prefix."""
        return str(ip_address(self.value.to_bytes(BITS[self.version] // 8, "big")))

    @property
    def subnet(self) -> str:
        """ "10.77.0.0/24"."""
        return str(ip_interface(f"{self}/{self.prefix}").network)


@lru_cache(maxsize=1 << 18)
def read(text: str) -> Ip | None:
    """The address of "10.0.0.1/24" or "10.0.0.1"; None for link-local ones and for what is none."""
    found = _QUAD(text)
    if found is None:
        return _read_slowly(text) if ":" in text else None
    a, b, c, d = int(found[1]), int(found[2]), int(found[3]), int(found[4])
    prefix = int(found[5] or 32)
    if a > 255 or b > 255 or c > 255 or d > 255 or prefix > 32 or (a == 169 and b == 254):
        return None
    return Ip(4, a << 24 | b << 16 | c << 8 | d, prefix)


def _read_slowly(text: str) -> Ip | None:
    try:
        parsed = ip_interface(text)
    except ValueError:
        return None
    if parsed.ip.is_link_local:
        return None
    return Ip(parsed.version, int(parsed.ip), parsed.network.prefixlen)


def read_all(texts: tuple[str, ...]) -> tuple[Ip, ...]:
    """Those of the texts that are addresses."""
    return tuple(ip for ip in map(read, texts) if ip is not None)


def read_route(dst: str) -> Ip | None:
    """The destination of a route (see RouteView)."""
    return read("0.0.0.0/0" if dst == "default" else dst)
