"""Rows of a server's Network Adapters: what the last look saw, what the panel made, what the draft adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from networks.domain.state import Desired, VlanAdapter
from networks.offers import network_names
from networks.slices import Drafted
from nodes.choices import AdapterKind, Origin
from nodes.models import Adapter, PhysicalServer


@dataclass(frozen=True, slots=True)
class Held:
    """The virtual network that has an adapter, or had it; `mark` says what the draft changes about that."""

    network_id: str = ""
    network: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class AdapterShown:
    """One network adapter as the page shows it.

    `mark` is "new" or "removed" where the draft makes or deletes it. `is_ours`: a VLAN adapter that the panel
    made or will make. `bridge_addresses` are the server's own that moved to the bridge which holds it.
    """

    name: str
    kind: str
    kind_label: str
    state: str
    mac: str = ""
    addresses: tuple[str, ...] = ()
    segment: str = ""
    held: Held = Held()
    vlan_id: int | None = None
    base: str = ""
    mtu: int | None = None
    bridge: str = ""
    bridge_addresses: tuple[str, ...] = ()
    made_by: str = ""
    is_ours: bool = False
    is_management: bool = False
    mark: str = ""

    @property
    def text(self) -> str:
        """All that the filter box looks into."""
        words = [
            self.name,
            self.kind_label,
            self.mac,
            self.segment,
            self.held.network,
            self.base,
            self.bridge,
        ]
        words += [*self.addresses, *self.bridge_addresses, str(self.vlan_id or "")]
        return " ".join(words).lower()


def adapters_shown(server: PhysicalServer, part: Drafted) -> list[AdapterShown]:
    """Every adapter of the server by name, those that only the draft has included. At most two queries."""
    rows = (
        Adapter.objects.filter(server=server, gone_at=None)
        .select_related("segment", "base__segment", "bridge", "bond")
        .order_by("name")
    )
    page = _Page(server, part)
    shown = [page.seen(row) for row in rows]
    there = {one.name for one in shown}
    vlans = {v.name: v for state in (part.decided, part.drafted) for v in state.vlans_on(server.pk)}
    segments = {one.name: one.segment for one in shown}
    shown += [page.unseen(v, segments.get(v.base, "")) for name, v in vlans.items() if name not in there]
    return sorted(shown, key=lambda one: one.name)


class _Page:
    """What the rows of one page share: who has which adapter, before the draft and in it."""

    def __init__(self, server: PhysicalServer, part: Drafted) -> None:
        self.names = network_names(part.drafted, part.decided)
        self.now = _holders(part.drafted, server.pk)
        self.before = _holders(part.decided, server.pk)
        self.vlans = {v.name for v in part.drafted.vlans_on(server.pk)}
        self.vlans_before = {v.name for v in part.decided.vlans_on(server.pk)}

    def seen(self, row: Adapter) -> AdapterShown:
        is_ours = row.name in self.vlans_before | self.vlans
        label = row.get_kind_display()
        if row.bond_id and row.bond:
            label += f", slave of {row.bond.name}"
        is_vlan = row.kind == AdapterKind.VLAN
        return AdapterShown(
            name=row.name,
            kind=row.kind,
            kind_label=label,
            state=link_state(row),
            mac=row.mac,
            addresses=tuple(row.addresses),
            segment=row.wire.name if row.wire else "unknown",
            vlan_id=row.vlan_id,
            base=row.base.name if row.base else "",
            mtu=row.mtu,
            bridge=row.bridge.name if row.bridge else "",
            bridge_addresses=tuple(row.bridge.addresses) if row.bridge else (),
            made_by=("this panel" if is_ours or row.origin == Origin.PANEL else "outside") if is_vlan else "",
            is_ours=is_vlan and is_ours,
            is_management=row.is_management,
            mark=self.mark(row.name),
            held=self.held(row.name),
        )

    def unseen(self, vlan: VlanAdapter, segment: str) -> AdapterShown:
        is_pending = vlan.name not in self.vlans_before
        return AdapterShown(
            name=vlan.name,
            kind="vlan",
            kind_label="VLAN",
            state="to be made" if is_pending else "not found",
            segment=segment or "unknown",
            vlan_id=vlan.vid,
            base=vlan.base,
            made_by="this panel",
            is_ours=True,
            mark=self.mark(vlan.name),
            held=self.held(vlan.name),
        )

    def mark(self, name: str) -> str:
        if name in self.vlans and name not in self.vlans_before:
            return "new"
        return "removed" if name in self.vlans_before and name not in self.vlans else ""

    def held(self, name: str) -> Held:
        """Who has the adapter in the draft, or had it before, and what the draft changes about that."""
        now, before = self.now.get(name, ""), self.before.get(name, "")
        mark = "" if now == before else "new" if not before else "removed" if not now else "changed"
        network = now or before
        return Held(network, self.names.get(network, ""), mark)


def _holders(state: Desired, server_id: int) -> Mapping[str, str]:
    return {a.adapter: a.network for a in state.assignments_on(server_id) if a.adapter}


def link_state(row: Adapter) -> str:
    """What its link is, in a word: "down", "no link" (up, but without a carrier) or "up"."""
    if not row.is_up:
        return "down"
    return "no link" if row.has_carrier is False else "up"
