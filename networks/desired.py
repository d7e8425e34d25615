"""Rows to desired state and back: the head of desired and the projections that pages query."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import lru_cache

from django.db import connection
from django.db.models import Max
from django.utils import timezone

from networks.domain.state import (
    Assignment,
    Desired,
    InterfaceKey,
    Member,
    Network,
    NewInterface,
    VlanAdapter,
)
from networks.models import Assignment as AssignmentRow
from networks.models import ManagedVlan, Revision, VirtualNetwork
from networks.models import Member as MemberRow
from networks.state_json import dump_desired, load_desired
from nodes.choices import AdapterKind, InterfaceMode
from nodes.models import Adapter, Container, ContainerInterface
from nodes.querysets import named_on


@dataclass(frozen=True, slots=True)
class Head:
    """The newest revision: its number (0 before the first) and the state it decided."""

    number: int
    state: Desired


def head_number() -> int:
    """The number of the newest revision, 0 if there is none."""
    return Revision.objects.aggregate(newest=Max("number"))["newest"] or 0


def head() -> Head:
    """The newest revision. One query."""
    row = Revision.objects.order_by("-number").only("number", "state").first()
    return Head(row.number, _state_of(row.state)) if row else Head(0, Desired())


def at_revision(number: int) -> Desired:
    """Desired as revision `number` decided it; 0 is the empty beginning. Revision.DoesNotExist if unknown."""
    return state_of(Revision.objects.only("state").get(number=number) if number else None)


def state_of(revision: Revision | None) -> Desired:
    """What that revision decided; None is the empty beginning."""
    return _state_of(revision.state) if revision else Desired()


@lru_cache(maxsize=8)
def _state_of(text: str) -> Desired:
    """A state of hundreds of servers takes longer to read than to fetch; it is a value, so it is shared."""
    return load_desired(text)


_LOCK = 0x64657369
"""Number of PostgreSQL's advisory lock (see `alone`)."""


def alone() -> None:
    """From here to the end of the caller's transaction nobody else checks edits against desired, or decides.

    SQLite's transactions follow one another anyway; on PostgreSQL neither of two sees what the other does.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


class MissingRow(Exception):
    """Desired names an adapter or interface that the inventory does not have."""


def write_head(
    number: int, before: Desired, after: Desired, *, author_id: int | None, reason: str
) -> Revision:
    """Store `after` as revision `number` and bring the rows from `before` to it.

    Errands of `after` are not kept. A VLAN adapter that a network is assigned to, and a member that an errand
    makes, get their rows here when no look has seen them yet. Must run inside
    a transaction. Raises IntegrityError if the number is taken or a constraint forbids it,
    MissingRow if the inventory lacks something that `after` names.
    """
    revision = Revision(
        number=number, author_id=author_id, reason=reason, state=dump_desired(after.without_errands())
    )
    revision.save(force_insert=True)
    # Freed first, taken after: so an adapter can change hands within one revision.
    gone_assignments = set(before.assignments) - set(after.assignments)
    _delete_assignments(gone_assignments)
    _delete_members(set(before.members) - set(after.members))
    _delete_vlans(set(before.vlans) - set(after.vlans))
    kept = {network.id for network in after.networks}
    VirtualNetwork.objects.filter(pk__in=[n.id for n in before.networks if n.id not in kept]).delete()
    _write_networks(before, after)
    ManagedVlan.objects.bulk_create(
        ManagedVlan(server_id=v.server, name=v.name, base=v.base, vid=v.vid)
        for v in sorted(set(after.vlans) - set(before.vlans), key=lambda v: (v.server, v.name))
    )
    _create_adapters(set(after.vlans) - set(before.vlans), after)
    _create_assignments(set(after.assignments) - set(before.assignments))
    new = set(after.members) - set(before.members)
    _create_interfaces(
        [made for made in after.new_interfaces if made.interface in {m.interface for m in new}]
    )
    _create_members(new)
    return revision


def _delete_assignments(gone: set[Assignment]) -> None:
    by_network: dict[str, list[int]] = {}
    for assignment in gone:
        by_network.setdefault(assignment.network, []).append(assignment.server)
    for network, servers in by_network.items():
        AssignmentRow.objects.filter(network_id=uuid.UUID(network), server_id__in=servers).delete()


def _delete_members(gone: set[Member]) -> None:
    by_network: dict[str, list[InterfaceKey]] = {}
    for member in gone:
        by_network.setdefault(member.network, []).append(member.interface)
    for network, keys in by_network.items():
        found = _interface_ids(keys)
        MemberRow.objects.filter(network_id=uuid.UUID(network), interface_id__in=found.values()).delete()


def _delete_vlans(gone: set[VlanAdapter]) -> None:
    """Their adapters are gone from now on, before a look says so: nothing may be assigned meanwhile."""
    now = timezone.now()
    for vlan in gone:
        ManagedVlan.objects.filter(server_id=vlan.server, name=vlan.name).delete()
        Adapter.objects.filter(server_id=vlan.server, name=vlan.name, gone_at=None).update(gone_at=now)


def _write_networks(before: Desired, after: Desired) -> None:
    old = {network.id: network for network in before.networks}
    changed = [n for n in after.networks if n.id in old and n != old[n.id]]
    # Names may be swapped, or freed for a new network: the constraint is checked row by row, so the renamed
    # step aside first.
    renamed = [n for n in changed if n.name.lower() != old[n.id].name.lower()]
    for network in renamed:
        VirtualNetwork.objects.filter(pk=network.id).update(name=f"renaming {network.id}")
    for network in changed:
        VirtualNetwork.objects.filter(pk=network.id).update(**_columns(network))
    for network in after.networks:
        if network.id not in old:
            VirtualNetwork.objects.create(id=uuid.UUID(network.id), **_columns(network))


def _columns(network: Network) -> dict[str, str | None]:
    return {
        "name": network.name,
        "description": network.description,
        "bridge": network.bridge or None,
    }


def _create_adapters(made: set[VlanAdapter], after: Desired) -> None:
    """Rows for new VLAN adapters that networks are assigned to; the next look finds them."""
    assigned = {(a.server, a.adapter) for a in after.assignments}
    now = timezone.now()
    for vlan in sorted(made, key=lambda v: (v.server, v.name)):
        if (vlan.server, vlan.name) in assigned:
            base = Adapter.objects.filter(server_id=vlan.server, name=vlan.base).first()
            Adapter.objects.get_or_create(
                server_id=vlan.server,
                name=vlan.name,
                defaults={"kind": AdapterKind.VLAN, "vlan_id": vlan.vid, "base": base, "gone_at": now},
            )


def _create_assignments(new: set[Assignment]) -> None:
    wanted = {(a.server, a.adapter) for a in new if a.adapter}
    adapters = {
        (row.server_id, row.name): row.pk
        for row in Adapter.objects.filter(named_on(wanted, name="name")).only("pk", "server_id", "name")
    }
    missing = sorted(key for key in wanted if key not in adapters)
    if missing:
        raise MissingRow(f"network adapter {missing[0][1]} of server {missing[0][0]}")
    AssignmentRow.objects.bulk_create(
        AssignmentRow(
            network_id=uuid.UUID(a.network),
            server_id=a.server,
            adapter_id=adapters[a.server, a.adapter] if a.adapter else None,
            bridge=a.bridge,
        )
        for a in sorted(new, key=lambda a: (a.network, a.server))
    )


def _create_interfaces(made: list[NewInterface]) -> None:
    """Rows for members that vzctl makes after the decision; the next look finds them."""
    now = timezone.now()
    for new in made:
        key = new.interface
        container = Container.objects.filter(server_id=key.server, ctid=key.ctid, gone_at=None).first()
        if container is None:
            raise MissingRow(f"container {key.ctid}")
        ContainerInterface.objects.get_or_create(
            container=container,
            ifname=key.ifname,
            defaults={"mode": InterfaceMode.BRIDGED, "mac": new.mac, "gone_at": now},
        )


def _create_members(new: set[Member]) -> None:
    found = _interface_ids([member.interface for member in new])
    for member in sorted(new, key=lambda m: m.interface):
        if member.interface not in found:
            raise MissingRow(f"interface {member.interface.ifname} of container {member.interface.ctid}")
    MemberRow.objects.bulk_create(
        MemberRow(network_id=uuid.UUID(m.network), interface_id=found[m.interface])
        for m in sorted(new, key=lambda m: m.interface)
    )


def _interface_ids(keys: list[InterfaceKey]) -> dict[InterfaceKey, int]:
    wanted = set(keys)
    rows = ContainerInterface.objects.filter(
        named_on({(key.server, key.ctid) for key in wanted}, "container__server_id", "container__ctid")
    ).values_list("container__server_id", "container__ctid", "ifname", "pk")
    ids = {InterfaceKey(server, ctid, ifname): pk for server, ctid, ifname, pk in rows}
    return {key: ids[key] for key in wanted if key in ids}
