"""Rows of a network's details: its servers, its members and its last Changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from networks.adapters_page import link_state
from networks.domain.state import Assignment, InterfaceKey, Member, VlanAdapter
from networks.models import Change
from networks.offers import interface_value
from networks.services.queueing import touched_networks
from networks.slices import Drafted
from nodes.choices import Role
from nodes.models import Adapter, ContainerInterface, PhysicalServer
from nodes.querysets import AnyUser, has_role, named_on

RECENT = 5
SEARCHED = 200
"""Changes that are looked through for those of one network: their edits are text."""


@dataclass(frozen=True, slots=True)
class ServerShown:
    """The network on one server. `mark` is "new", "changed" or "removed" where the draft differs.

    `adapter` is None where the last look did not find it; `new_vlan` is what the draft makes of that name.
    """

    server: PhysicalServer
    adapter_name: str
    adapter: Adapter | None
    new_vlan: VlanAdapter | None
    link: str
    is_assigned: bool
    members_count: int
    mark: str = ""


@dataclass(frozen=True, slots=True)
class MemberShown:
    """One member interface; `row` is None if the inventory has lost it."""

    key: InterfaceKey
    value: str
    server: PhysicalServer
    row: ContainerInterface | None
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Where:
    """Servers where a network is, or was before the draft: those that the reader may see, and the others,
    which count but are not named.
    """

    seen: dict[int, PhysicalServer]
    hidden: frozenset[int]


def where(part: Drafted, network_id: str, user: AnyUser) -> Where:
    """Where the network is, for that reader. One query."""
    ids = part.drafted.servers_of(network_id) | part.decided.servers_of(network_id)
    there = {row.pk: row for row in PhysicalServer.objects.filter(pk__in=ids).select_related("group")}
    seen = {pk: row for pk, row in there.items() if has_role(user, Role.VIEWER, row.group)}
    return Where(seen, frozenset(there.keys() - seen.keys()))


def hidden_members(part: Drafted, network_id: str, servers: Where) -> int:
    """How many members the reader may not see, those that the draft takes out included."""
    both = {*part.drafted.members_of(network_id), *part.decided.members_of(network_id)}
    return sum(member.interface.server in servers.hidden for member in both)


def servers_shown(
    part: Drafted, network_id: str, there: Where, start: int = 0, most: int = 50
) -> tuple[list[ServerShown], bool]:
    """One page of the servers that the reader may see; are there more? One query."""
    found = sorted(there.seen.values(), key=lambda server: server.name)
    servers = found[start : start + most]
    adapters = {
        (row.server_id, row.name): row
        for row in Adapter.objects.filter(server_id__in=[s.pk for s in servers], gone_at=None).select_related(
            "base", "segment", "base__segment"
        )
    }
    shown = []
    for server in servers:
        now = part.drafted.assignment(network_id, server.pk)
        before = part.decided.assignment(network_id, server.pk)
        name = (now.adapter if now else "") or ""
        adapter = adapters.get((server.pk, name))
        decided = part.decided.vlans_on(server.pk)
        new = [v for v in part.drafted.vlans_on(server.pk) if v.name == name and v not in decided]
        shown.append(
            ServerShown(
                server,
                name,
                adapter,
                new[0] if new and not adapter else None,
                link_state(adapter) if adapter else "",
                now is not None,
                len(part.drafted.containers_of(network_id, server.pk)),
                _mark(before, now),
            )
        )
    return shown, len(found) > start + most


def _mark(before: Assignment | None, now: Assignment | None) -> str:
    if before == now:
        return ""
    if before is None:
        return "new"
    if now is None:
        return "removed"
    return "changed" if before.adapter != now.adapter else ""


def members_shown(
    part: Drafted, network_id: str, there: Where, start: int = 0, most: int = 50
) -> tuple[list[MemberShown], bool]:
    """One page of the members that she may see, those that the draft takes out included; are there more?

    One query.
    """
    now = set(part.drafted.members_of(network_id))
    before = set(part.decided.members_of(network_id))
    both = now | before
    servers = there.seen
    order = sorted(
        (m for m in both if m.interface.server in servers),
        key=lambda m: (servers[m.interface.server].name, m.interface.ctid, m.interface.ifname),
    )
    page = order[start : start + most]
    rows = _rows(set(page))
    shown = [
        MemberShown(
            member.interface,
            interface_value(member.interface),
            servers[member.interface.server],
            rows.get(member.interface),
            "" if member in now and member in before else "new" if member in now else "removed",
        )
        for member in page
    ]
    return shown, len(order) > start + most


def _rows(members: set[Member]) -> Mapping[InterfaceKey, ContainerInterface]:
    keys = {member.interface for member in members}
    there = named_on({(key.server, key.ctid) for key in keys}, "container__server_id", "container__ctid")
    rows = ContainerInterface.objects.filter(there).select_related("container")
    return {
        key: row
        for row in rows
        if (key := InterfaceKey(row.container.server_id, row.container.ctid, row.ifname)) in keys
    }


def recent_changes(network_id: str, user: AnyUser) -> list[Change]:
    """The last Changes that name the network."""
    newest = (
        Change.objects.visible_to(user)
        .exclude(state__in=("planning", "planned", "discarded"))
        .select_related("author")
    )
    return [c for c in newest[:SEARCHED] if network_id in touched_networks(c)][:RECENT]
