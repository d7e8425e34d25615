"""Labs whose checkout was deleted while they ran: nobody can take those down any more but us.

Every lab that is up is noted in /run by its prefix, with the path of its state folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab import processes, wiring
from lab.definition import SERVERS
from lab.errors import LabUnavailable
from lab.place import Place

REGISTER = Path("/run/vnetpanel-labs")


def register(place: Place) -> None:
    """Note that this lab is, or may be, up."""
    REGISTER.mkdir(mode=0o755, exist_ok=True)
    (REGISTER / place.prefix).write_text(str(place.state))


def unregister(place: Place) -> None:
    """Note that nothing of this lab is left."""
    (REGISTER / place.prefix).unlink(missing_ok=True)


def clean_abandoned_labs(report: Callable[[str], None]) -> None:
    """End the processes and remove the namespaces of labs whose state folder is gone."""
    for note in REGISTER.glob("vl*"):
        try:
            place = Place(Path(note.read_text()))
        except (OSError, LabUnavailable):
            continue
        # The name is a hash of the path: a note that says otherwise is not ours to act upon.
        if place.prefix != note.name or place.state.exists():
            continue
        report(f"Cleaning up the lab of {place.state}, whose folder is gone.")
        for server in SERVERS:
            folder = place.server(server.name)
            processes.kill([*processes.keepers(folder), *processes.kernels(folder)])
        wiring.unwire(place)
        unregister(place)
