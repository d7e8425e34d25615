"""One network onto many servers at once: what it would take on each, and why not where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from networks.choices import UNUSABLE_BOND_MODES
from networks.domain.names import vlan_name
from networks.domain.state import Assign, CreateVlan, Edit
from networks.grid import ADAPTER, value_of
from networks.slices import Drafted
from nodes.models import Adapter, PhysicalServer


@dataclass(frozen=True, slots=True)
class Target:
    """Where a network is to go on every server: `adapter`, the VLAN `vid` of it, or local ("" and None)."""

    adapter: str = ""
    vid: int | None = None


@dataclass(frozen=True, slots=True)
class OnServer:
    """What the target means on one server: the edits and their words, or why it cannot be."""

    server: PhysicalServer
    words: str
    edits: tuple[Edit, ...] = ()
    refused: str = ""


def on_servers(
    servers: Sequence[PhysicalServer],
    network_id: str,
    target: Target,
    part: Drafted,
    names: Mapping[str, str],
) -> list[OnServer]:
    """One answer for each server, in their order. One query."""
    adapters: dict[int, dict[str, Adapter]] = {}
    rows = Adapter.objects.filter(server__in=[s.pk for s in servers], gone_at=None).select_related("base")
    for row in rows:
        adapters.setdefault(row.server_id, {})[row.name] = row
    return [_on(server, network_id, target, part, names, adapters.get(server.pk, {})) for server in servers]


def _on(
    server: PhysicalServer,
    network_id: str,
    target: Target,
    part: Drafted,
    names: Mapping[str, str],
    adapters: Mapping[str, Adapter],
) -> OnServer:
    if not server.is_managed:
        return OnServer(server, "", refused="a Windows server is only shown")
    state = part.drafted
    if not target.adapter:
        if value_of(network_id, server.pk, state) == "local":
            return OnServer(server, "", refused="it is local there already")
        return OnServer(server, "local", (Assign(network_id, server.pk, None),))
    base = adapters.get(target.adapter)
    if base is None:
        return OnServer(server, "", refused=f"has no {target.adapter}")
    if base.bond_id or base.bond_mode in UNUSABLE_BOND_MODES:
        return OnServer(server, "", refused=f"{base.name} cannot be bridged")
    name, made = base.name, None
    if target.vid is not None:
        if base.vlan_id is not None:
            return OnServer(server, "", refused=f"{base.name} is a VLAN adapter itself")
        name, made = _vlan(server.pk, base.name, target.vid, part, adapters)
    holder = next((a.network for a in state.assignments_on(server.pk) if a.adapter == name), "")
    if holder == network_id:
        return OnServer(server, "", refused=f"it is assigned to {name} already")
    if holder:
        return OnServer(server, "", refused=f"{name} is taken by {names.get(holder, 'another network')}")
    edits: tuple[Edit, ...] = (Assign(network_id, server.pk, name),)
    before = value_of(network_id, server.pk, state).removeprefix(ADAPTER)
    words = f"{name}, to be made" if made else name
    words += f", instead of {before}" if before not in ("none", "local") else ""
    return OnServer(server, words, (made, *edits) if made else edits)


def _vlan(
    server: int, base: str, vid: int, part: Drafted, adapters: Mapping[str, Adapter]
) -> tuple[str, CreateVlan | None]:
    """The VLAN adapter of that id on that base: one that is there, by whomever, or one to be made."""
    for row in adapters.values():
        if row.vlan_id == vid and row.base is not None and row.base.name == base:
            return row.name, None
    for vlan in part.drafted.vlans_on(server):
        if (vlan.base, vlan.vid) == (base, vid):
            return vlan.name, None
    name = vlan_name(base, vid)
    return name, CreateVlan(server, name, base, vid)
