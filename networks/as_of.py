"""The networks as a revision has them, for one reader: what is on servers that she may not see is counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Subquery

from networks.desired import head_number, state_of
from networks.domain.state import Desired, InterfaceKey, Network, ServerId
from networks.models import Change, Revision
from nodes.choices import Role
from nodes.models import Container, PhysicalServer
from nodes.querysets import AnyUser, has_role, sees_everything


@dataclass(frozen=True, slots=True)
class AsOf:
    """A revision with its state; number 0 is the empty beginning, which has no row."""

    number: int
    newest: int
    """The number of the newest revision."""
    state: Desired
    revision: Revision | None
    change: Change | None
    """The Change that decided it, if the reader may see that."""
    servers: dict[ServerId, PhysicalServer]
    """Servers that the state names and the reader may see."""
    removed: frozenset[ServerId]
    """Servers that the state names and the panel does not know any more."""
    tells_removed: bool
    """Whether the reader may know what was on those: she sees everything."""


@dataclass(frozen=True, slots=True)
class ServerThen:
    server: PhysicalServer | None
    assigned: str
    members_count: int


@dataclass(frozen=True, slots=True)
class MemberThen:
    key: InterfaceKey
    server: PhysicalServer | None
    container: Container | None


@dataclass(frozen=True, slots=True)
class NetworkThen:
    """One network then, a page of it. Servers without a row were removed from the panel since."""

    network: Network
    servers: tuple[ServerThen, ...]
    members: tuple[MemberThen, ...]
    hidden_servers: int
    hidden_members: int
    more_servers: bool
    more_members: bool


def as_of(number: int, user: AnyUser) -> AsOf:
    """Revision `number`. Raises Revision.DoesNotExist.

    Three queries, and some more for who is no superuser where servers of it were removed since.
    """
    last = Subquery(Revision.objects.order_by("-number").values("number")[:1])
    revisions = Revision.objects.select_related("author").annotate(newest=last)
    revision = revisions.get(number=number) if number else None
    newest = revision.newest if revision else head_number()
    state = state_of(revision)
    named = {server for network in state.networks for server in state.servers_of(network.id)}
    named |= {vlan.server for vlan in state.vlans}
    known = PhysicalServer.objects.select_related("group").in_bulk(named)
    servers = {pk: one for pk, one in known.items() if has_role(user, Role.VIEWER, one.group)}
    removed = frozenset(named - known.keys())
    change = Change.objects.visible_to(user).filter(decisions__revision=number).first()
    tells_removed = bool(removed) and sees_everything(user)
    return AsOf(number, newest, state, revision, change, servers, removed, tells_removed)


def without_removed(then: AsOf) -> Desired:
    """The state without what was on servers that were removed since: pages have no rows for them."""
    gone, state = then.removed, then.state
    if not gone:
        return state
    return replace(
        state,
        assignments=tuple(a for a in state.assignments if a.server not in gone),
        members=tuple(m for m in state.members if m.interface.server not in gone),
        vlans=tuple(v for v in state.vlans if v.server not in gone),
    )


def networks_then(then: AsOf, text: str) -> list[dict[str, Any]]:
    """Rows of the list of networks, those with the text in their name or description."""
    wanted = text.lower()
    return [
        {
            "id": network.id,
            "name": network.name,
            "description": network.description,
            "servers_count": len(then.state.servers_of(network.id)),
            "members_count": len(then.state.containers_of(network.id)),
        }
        for network in then.state.networks
        if wanted in network.name.lower() or wanted in network.description.lower()
    ]


def networks_on_then(then: AsOf, server: ServerId, text: str) -> list[dict[str, Any]]:
    """Rows of one server's list of networks, those with the text in their name or description."""
    wanted, rows = text.lower(), []
    for network in then.state.networks:
        if wanted in network.name.lower() or wanted in network.description.lower():
            here = then.state.assignment(network.id, server)
            members = len(then.state.containers_of(network.id, server))
            assigned = "local" if here or members else "not defined here"
            rows.append(
                {
                    "id": network.id,
                    "name": network.name,
                    "description": network.description,
                    "assigned": here.adapter if here and here.adapter else assigned,
                    "members_here": members,
                }
            )
    return rows


def network_then(then: AsOf, network_id: str, servers: slice, members: slice) -> NetworkThen | None:
    """One network as the revision has it, those of its servers and members; None without it. One query."""
    network = then.state.network(network_id)
    if network is None:
        return None
    shown = then.servers.keys() | (then.removed if then.tells_removed else frozenset())
    here = then.state.servers_of(network_id)
    there = then.state.members_of(network_id)
    seen = sorted(
        (m.interface for m in there if m.interface.server in shown), key=lambda k: (k.server, k.ctid)
    )
    page = seen[members]
    containers = {
        (row.server_id, row.ctid): row
        for row in Container.objects.filter(server__in=then.servers, ctid__in={key.ctid for key in page})
    }
    order = sorted(here & shown, key=lambda pk: then.servers[pk].name if pk in then.servers else "")
    return NetworkThen(
        network,
        tuple(_server_then(then, network_id, server) for server in order[servers]),
        tuple(MemberThen(k, then.servers.get(k.server), containers.get((k.server, k.ctid))) for k in page),
        len(here - shown),
        len(there) - len(seen),
        len(order) > servers.stop,
        len(seen) > members.stop,
    )


def _server_then(then: AsOf, network_id: str, server: ServerId) -> ServerThen:
    assignment = then.state.assignment(network_id, server)
    assigned = assignment.adapter if assignment and assignment.adapter else "local"
    return ServerThen(then.servers.get(server), assigned, len(then.state.containers_of(network_id, server)))
