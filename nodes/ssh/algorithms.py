"""Which algorithms are offered to a server: today's, or with "legacy SSH" ticked also those of OpenVZ 6.

Order is preference. It was chosen by measurement: curve25519 with ed25519 and aes128-gcm costs about 2 ms of
the panel's CPU per connection, group 14 ten times and group exchange or group 16 twenty to forty times that.
OpenVZ 6 has the OpenSSH 5.3 of RHEL 6: SHA-1 signatures, hmac-sha1, no GCM, no curves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Algorithms:
    """Names as on the wire, most preferred first. `keys` are of host keys, `pubkeys` of logins."""

    kex: tuple[str, ...]
    keys: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]
    disabled_pubkeys: tuple[str, ...] = ()


MODERN = Algorithms(
    kex=(
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
    ),
    keys=(
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-512",
        "rsa-sha2-256",
    ),
    ciphers=("aes128-gcm@openssh.com", "aes256-gcm@openssh.com"),
    macs=(
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
    ),
    disabled_pubkeys=("ssh-rsa",),
)

LEGACY = Algorithms(
    kex=(
        *MODERN.kex,
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group14-sha1",
        "diffie-hellman-group1-sha1",
    ),
    keys=(*MODERN.keys, "ssh-rsa"),
    ciphers=(*MODERN.ciphers, "aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-cbc", "aes256-cbc"),
    macs=(*MODERN.macs, "hmac-sha1"),
)

# The key type of an RSA key is "ssh-rsa" whichever hash the signature uses (RFC 8332, section 3).
_ALGORITHMS_OF_TYPE = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")}


def offered(legacy: bool) -> Algorithms:
    """What we offer to a server, with or without "legacy SSH" ticked."""
    return LEGACY if legacy else MODERN


def pinned_first(algorithms: Algorithms, key_types: Iterable[str]) -> tuple[str, ...]:
    """Host key algorithms with those of the approved keys in front.

    A server with several keys then shows the approved one, and not another that would look like a change.
    """
    wanted = [name for kind in key_types for name in _ALGORITHMS_OF_TYPE.get(kind, (kind,))]
    first = [name for name in dict.fromkeys(wanted) if name in algorithms.keys]
    return (*first, *(name for name in algorithms.keys if name not in first))


def of_type(algorithms: Algorithms, key_type: str) -> tuple[str, ...]:
    """The host key algorithms that show a key of this type only."""
    return tuple(name for name in _ALGORITHMS_OF_TYPE.get(key_type, (key_type,)) if name in algorithms.keys)


def legacy_would_help(greeting: bytes) -> bool:
    """Whether a server that shares no modern algorithm with us would agree with legacy SSH ticked.

    `greeting` is what the server sent first: its version line and its KEXINIT in clear text.
    """
    kex, keys, ciphers = _lists_of(greeting)
    return bool(
        kex.intersection(LEGACY.kex)
        and keys.intersection(LEGACY.keys)
        and ciphers.intersection(LEGACY.ciphers)
    )


def _lists_of(greeting: bytes) -> tuple[set[str], set[str], set[str]]:
    """Key exchanges, host key algorithms and ciphers in a KEXINIT; empty where it is cut off.

    RFC 4253: after the line that begins with SSH- comes a packet (section 6: length, padding length, payload)
    whose payload is a byte, a cookie of 16 bytes, and name-lists in the order of section 7.1.
    """
    version = re.search(rb"^SSH-[^\n]*\n", greeting, re.MULTILINE)
    rest = greeting[version.end() + 4 + 1 + 1 + 16 :] if version else b""
    lists = []
    for _ in range(3):
        end = 4 + int.from_bytes(rest[:4], "big")
        lists.append(set(rest[4:end].decode("ascii", "replace").split(",")))
        rest = rest[end:]
    return lists[0], lists[1], lists[2]


_OPENSSH = re.compile(r"-OpenSSH_(\d+)\.(\d+)")


def signs_rsa_with_sha1_only(server_version: str) -> bool:
    """True for an OpenSSH before 7.2, which knows neither rsa-sha2 signatures nor how to say so."""
    found = _OPENSSH.search(server_version)
    return found is not None and (int(found[1]), int(found[2])) < (7, 2)
