"""What a problem is about, as JSON that pages turn into links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from networks.domain.inventory import ContainerKey, NetworkRef, ServerRef, Subject
from networks.domain.state import AdapterKey, InterfaceKey


def subject_rows(subjects: Iterable[Subject]) -> list[dict[str, Any]]:
    """One row a subject: its kind, and the keys that name it."""
    return [_row(subject) for subject in subjects]


def subject_of(row: Mapping[str, Any]) -> Subject | None:
    """The subject of a row; None for what is none of the domain's, such as a Change."""
    match row["kind"]:
        case "network":
            return NetworkRef(row["network"])
        case "server":
            return ServerRef(row["server"])
        case "adapter":
            return AdapterKey(row["server"], row["adapter"])
        case "container":
            return ContainerKey(row["server"], row["ctid"])
        case "interface":
            return InterfaceKey(row["server"], row["ctid"], row["ifname"])
    return None


def _row(subject: Subject) -> dict[str, Any]:
    match subject:
        case NetworkRef(id=network):
            return {"kind": "network", "network": network}
        case ServerRef(id=server):
            return {"kind": "server", "server": server}
        case AdapterKey(server=server, name=name):
            return {"kind": "adapter", "server": server, "adapter": name}
        case ContainerKey(server=server, ctid=ctid):
            return {"kind": "container", "server": server, "ctid": ctid}
        case InterfaceKey(server=server, ctid=ctid, ifname=ifname):
            return {"kind": "interface", "server": server, "ctid": ctid, "ifname": ifname}
