"""Where one lab lives: its state folder and the names it may use on the machine.

Every name is derived from the state folder's path, so that two checkouts on one machine never meet.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabUnavailable

CHECKOUT = Path(__file__).resolve().parent.parent

# A kernel command line is split at blanks, a ubd device's value at colons and commas.
_UNSAFE = set(" \t\n'\"\\,:;#%")


@dataclass(frozen=True)
class Place:
    """One lab's place on disk (``state``) and in the machine's table of network namespaces."""

    state: Path

    def __post_init__(self) -> None:
        unsafe = _UNSAFE & set(f"{self.state}{CHECKOUT}")
        if unsafe:
            raise LabUnavailable(
                f"The lab cannot live under {self.state}: the path holds {sorted(unsafe)!r}, "
                "which a kernel command line cannot carry."
            )

    @property
    def prefix(self) -> str:
        """Start of every namespace name: ``vl`` and six hex digits of the path's hash."""
        return "vl" + hashlib.sha256(str(self.state).encode()).hexdigest()[:6]

    def namespace(self, role: str) -> str:
        """Name (at most 15 bytes) of the network namespace of ``switch``, ``panel`` or ``other``."""
        return f"{self.prefix}-{role}"

    def server(self, name: str) -> Path:
        """Folder of one physical server: disk, console log, console socket."""
        return self.state / name

    @property
    def client_key(self) -> Path:
        """Private key (ed25519) that root and admin of every server accept."""
        return self.state / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """OpenSSH known_hosts file naming every server by address."""
        return self.state / "ssh" / "known_hosts"

    @property
    def password_file(self) -> Path:
        """File (0600) holding root's random password, the same on every server of this lab."""
        return self.state / "ssh" / "root-password"


def default_place() -> Place:
    """The checkout's own lab, ``var/lab``, or the folder named by ``VNETPANEL_LAB_STATE``."""
    return Place(Path(os.environ.get("VNETPANEL_LAB_STATE") or CHECKOUT / "var" / "lab").resolve())


def spare_places() -> tuple[Place, Place]:
    """More labs of the same checkout, for tests: beside a demo, and journeys beside other tests."""
    first = default_place().state
    return Place(first.with_name(first.name + "-spare")), Place(first.with_name(first.name + "-spare2"))
