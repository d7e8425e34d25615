"""Where to connect, as whom, and which host keys count: all that the transport needs to know of a server."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from nodes.ssh.hostkey import HostKey


@dataclass(frozen=True, slots=True)
class Credential:
    """A private key (PEM text, with its passphrase if it has one), a password, or both. Masked in repr.

    With both, the key is tried first.
    """

    private_key: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __repr__(self) -> str:
        kinds = [kind for kind in ("private_key", "password") if getattr(self, kind)]
        return f"Credential({', '.join(kinds) or 'empty'})"


@dataclass(frozen=True, slots=True)
class Target:
    """One server as the transport sees it.

    `host_keys` are the approved keys as (type, base64); with none nothing is ever sent. `legacy` offers the
    SHA-1 algorithms of OpenVZ 6. `sudo` runs commands under `sudo -n` (leave it off for a root login).
    `server` is the caller's own identity of the server, so that two servers never share a connection even if
    one takes over the other's address.
    """

    address: str
    username: str
    credential: Credential
    host_keys: tuple[HostKey, ...]
    port: int = 22
    legacy: bool = False
    sudo: bool = False
    server: str = ""

    def __post_init__(self) -> None:
        """Take host keys as plain pairs too, so that callers need not know the type."""
        object.__setattr__(self, "host_keys", tuple(HostKey(*key) for key in self.host_keys))

    @property
    def place(self) -> tuple[str, str, int, str]:
        """What a connection belongs to: server, address, port and user name."""
        return (self.server, self.address, self.port, self.username)

    @property
    def version(self) -> str:
        """Changes with the credential, the approved host keys or the algorithms; reveals none of them."""
        credential = self.credential
        # repr of a tuple keeps the parts apart: ("ab", "c") and ("a", "bc") differ.
        parts = (
            credential.private_key,
            credential.passphrase,
            credential.password,
            self.host_keys,
            self.legacy,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()
