"""Parts of the head of desired, read from rows, with a user's draft laid over: what pages show and edit.

A page about one network or one server needs a small `Desired`, not the whole design.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import CharField, F, Q, QuerySet, Value
from django.db.models.functions import Cast

from networks.choices import UNUSABLE_BOND_MODES
from networks.domain.state import (
    AddMember,
    Assign,
    Assignment,
    CreateNetwork,
    Desired,
    Edit,
    InterfaceKey,
    Member,
    Network,
    VlanAdapter,
    apply_edits,
)
from networks.looking_back import shown_head, then
from networks.models import Assignment as AssignmentRow
from networks.models import Draft, ManagedVlan, VirtualNetwork
from networks.models import Member as MemberRow
from networks.state_json import UnreadableState, load_edits
from nodes.models import Adapter


@dataclass(frozen=True, slots=True)
class Drafted:
    """A part of desired as decided, and as the user's draft would have it."""

    decided: Desired
    drafted: Desired
    edits: tuple[Edit, ...] = ()


def draft_edits(user: AbstractBaseUser | AnonymousUser) -> tuple[Edit, ...]:
    """The user's pending edits. No query if the user came with her draft (networks/backends.py)."""
    if then() is not None:
        return ()
    try:
        return load_edits(user.draft.edits)  # type: ignore[union-attr]
    except (Draft.DoesNotExist, AttributeError, UnreadableState):
        # Unreadable: every page asks for these, and she must get to the one that discards them.
        return ()


def of_network(network_id: uuid.UUID, user: AbstractBaseUser | AnonymousUser) -> Drafted:
    """Everything about one network, on all servers. Two queries."""
    if then() is not None:
        return _back((), [str(network_id)])
    return _drafted(_area([], [str(network_id)]), user)


def network_alone(network_id: uuid.UUID, user: AbstractBaseUser | AnonymousUser) -> Network | None:
    """One network as the user's draft has it, with nothing of what is in it. One query."""
    if then() is not None:
        return _back((), [str(network_id)]).drafted.network(str(network_id))
    rows = VirtualNetwork.objects.filter(pk=network_id)
    return _drafted(Desired(networks=tuple(map(_network, rows))), user).drafted.network(str(network_id))


def of_server(server_id: int, user: AbstractBaseUser | AnonymousUser) -> Drafted:
    """Everything about one server: the networks with something on it. Two queries."""
    if then() is not None:
        return _back([server_id])
    return _drafted(decided_on(server_id), user, [server_id])


def decided_on(server_id: int) -> Desired:
    """What has been decided for one server: the networks with something on it. Two queries."""
    return _area([server_id], [])


def decided_on_each(server_ids: Collection[int]) -> dict[int, Desired]:
    """The same for each of these servers. Two queries."""
    area = _area(server_ids, [])
    networks = {network.id: network for network in area.networks}
    assignments: dict[int, list[Assignment]] = {server: [] for server in server_ids}
    members: dict[int, list[Member]] = {server: [] for server in server_ids}
    vlans: dict[int, list[VlanAdapter]] = {server: [] for server in server_ids}
    for assignment in area.assignments:
        assignments[assignment.server].append(assignment)
    for member in area.members:
        members[member.interface.server].append(member)
    for vlan in area.vlans:
        vlans[vlan.server].append(vlan)
    return {
        server: Desired(
            networks=tuple(
                networks[pk]
                for pk in dict.fromkeys(
                    [*(a.network for a in assignments[server]), *(m.network for m in members[server])]
                )
            ),
            assignments=tuple(assignments[server]),
            members=tuple(members[server]),
            vlans=tuple(vlans[server]),
        )
        for server in server_ids
    }


@dataclass(frozen=True, slots=True, order=True)
class SeenAdapter:
    """A network adapter as the last look saw it. No carrier is what a link says that has none."""

    name: str
    is_up: bool
    has_carrier: bool


@dataclass(frozen=True, slots=True)
class Cells(Drafted):
    """What is on some servers, networks by name alone, and adapters there by server, sorted."""

    adapters: dict[int, list[SeenAdapter]] = field(default_factory=dict)


def of_cells(
    server_ids: Collection[int],
    network_ids: Collection[str],
    user: AbstractBaseUser | AnonymousUser,
) -> Cells:
    """Where networks are assigned on those servers, and members there of some networks. One query.

    Those some networks' names the caller has: of what the draft puts there, only others are looked up.
    """
    members = MemberRow.objects.filter(
        network_id__in=[uuid.UUID(pk) for pk in network_ids],
        interface__container__server_id__in=server_ids,
    )
    usable = Adapter.objects.filter(server_id__in=server_ids, gone_at=None, bond=None)
    usable = usable.exclude(bond_mode__in=UNUSABLE_BOND_MODES)
    return _cells(server_ids, members, usable, user, network_ids)


def on_servers(server_ids: Collection[int], user: AbstractBaseUser | AnonymousUser) -> Cells:
    """What is on those servers, networks by name alone, and all their adapters. One query."""
    members = MemberRow.objects.filter(interface__container__server_id__in=server_ids)
    adapters = Adapter.objects.filter(server_id__in=server_ids, gone_at=None)
    return _cells(server_ids, members, adapters, user)


def _cells(
    server_ids: Collection[int],
    members: QuerySet[MemberRow],
    adapters: QuerySet[Adapter],
    user: AbstractBaseUser | AnonymousUser,
    known: Collection[str] = (),
) -> Cells:
    looks_back = then() is not None
    # The revision that is looked back at has been read; adapters are of now.
    here = [] if looks_back else server_ids
    found = _rows(
        assignments=AssignmentRow.objects.filter(server_id__in=here),
        members=members.none() if looks_back else members,
        vlans=ManagedVlan.objects.filter(server_id__in=here),
        adapters=adapters,
    )
    networks = sorted(found.network_names.items(), key=lambda named: named[1])
    decided = found.desired([Network(pk, name) for pk, name in networks])
    part = _back(server_ids) if looks_back else _drafted(decided, user, server_ids, known)
    by_name = {server: sorted(there) for server, there in found.adapters.items()}
    return Cells(part.decided, part.drafted, part.edits, by_name)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of desired, read together."""

    assignments: list[Assignment] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    vlans: list[VlanAdapter] = field(default_factory=list)
    adapters: dict[int, list[SeenAdapter]] = field(default_factory=dict)
    network_names: dict[str, str] = field(default_factory=dict)

    def desired(self, networks: Sequence[Network]) -> Desired:
        """That part of desired, in the order of those networks: no database promises one."""
        rank = {network.id: number for number, network in enumerate(networks)}
        return Desired(
            tuple(networks),
            tuple(sorted(self.assignments, key=lambda a: (rank[a.network], a.server))),
            tuple(sorted(self.members, key=lambda m: (rank[m.network], m.interface))),
            tuple(sorted(self.vlans, key=lambda v: (v.server, v.name))),
        )


def _rows(
    *,
    assignments: QuerySet[AssignmentRow],
    members: QuerySet[MemberRow],
    vlans: QuerySet[ManagedVlan],
    adapters: QuerySet[Adapter] | None = None,
) -> _Rows:
    """Those rows of up to four tables, in one query."""
    there = "interface__container__"
    arms = [
        _arm("assignment", assignments, "network_id", "adapter__name", "bridge", "network__name"),
        _arm(
            "member", members, "network_id", f"{there}ctid", "interface__ifname", "network__name",
            server=f"{there}server_id",
        ),
        _arm("vlan", vlans, "", "name", "base", "vid"),
    ]  # fmt: skip
    if adapters is not None:
        arms.append(_arm("adapter", adapters, "", "name", "is_up", "has_carrier"))
    found = _Rows()
    for kind, server, network, first, second, third in arms[0].union(*arms[1:], all=True):
        match kind:
            case "assignment":
                pk = str(uuid.UUID(network))
                found.network_names[pk] = third
                found.assignments.append(Assignment(pk, server, first or None, second))
            case "member":
                pk = str(uuid.UUID(network))
                found.network_names[pk] = third
                found.members.append(Member(pk, InterfaceKey(server, first, second)))
            case "vlan":
                found.vlans.append(VlanAdapter(server, first, second, int(third)))
            case "adapter":
                seen = SeenAdapter(first, second in TRUE, third not in FALSE)
                found.adapters.setdefault(server, []).append(seen)
    return found


TRUE, FALSE = ("1", "true"), ("0", "false")
"""A boolean as text: SQLite's and PostgreSQL's."""


def _arm(kind: str, rows: QuerySet[Any], *columns: str, server: str = "server_id") -> QuerySet[Any, Any]:
    """One table's rows as words; "" for a word that it has not."""
    texts = {
        f"cell_{number}": Cast(F(column) if column else Value(""), CharField())
        for number, column in enumerate(columns)
    }
    found = rows.order_by().annotate(
        cell_kind=Value(kind, output_field=CharField()), cell_server=F(server), **texts
    )
    return found.values_list("cell_kind", "cell_server", *texts)


def of_area(
    server_ids: Collection[int],
    network_ids: Collection[str],
    user: AbstractBaseUser | AnonymousUser,
) -> Drafted:
    """All of those servers and all of those networks: what rules need to judge edits there. Two queries."""
    if then() is not None:
        return _back(server_ids, network_ids)
    return _drafted(_area(server_ids, network_ids), user, server_ids)


def _area(server_ids: Collection[int], network_ids: Collection[str]) -> Desired:
    keys = [uuid.UUID(pk) for pk in network_ids]
    found = _rows(
        assignments=AssignmentRow.objects.filter(Q(server_id__in=server_ids) | Q(network_id__in=keys)),
        members=_members_there(server_ids, network_ids),
        vlans=ManagedVlan.objects.filter(server_id__in=server_ids),
    )
    networks = VirtualNetwork.objects.filter(pk__in={*found.network_names, *network_ids})
    return found.desired(list(map(_network, networks)))


def _members_there(server_ids: Collection[int], network_ids: Collection[str]) -> QuerySet[MemberRow]:
    there = MemberRow.objects.filter(interface__container__server_id__in=server_ids)
    theirs = MemberRow.objects.filter(network_id__in=[uuid.UUID(pk) for pk in network_ids])
    if not network_ids or not server_ids:
        return theirs if network_ids else there
    # One "or" over two tables would have the database read all members that there are.
    either = there.order_by().values("pk").union(theirs.order_by().values("pk"))
    return MemberRow.objects.filter(pk__in=either)


def _back(server_ids: Collection[int], network_ids: Collection[str] = ()) -> Drafted:
    """That part of the revision which the request looks back at; nobody has a draft on it."""
    state, servers, wanted = shown_head().state, set(server_ids), set(network_ids)
    assignments = tuple(a for a in state.assignments if a.server in servers or a.network in wanted)
    members = tuple(m for m in state.members if m.interface.server in servers or m.network in wanted)
    named = wanted | {a.network for a in assignments} | {m.network for m in members}
    part = Desired(
        networks=tuple(network for network in state.networks if network.id in named),
        assignments=assignments,
        members=members,
        vlans=tuple(vlan for vlan in state.vlans if vlan.server in servers),
    )
    return Drafted(part, part)


def _drafted(
    decided: Desired,
    user: AbstractBaseUser | AnonymousUser,
    server_ids: Collection[int] = (),
    known: Collection[str] = (),
) -> Drafted:
    edits = draft_edits(user)
    # One that only the draft puts there has no row there, and would be said not to exist: one query more.
    if missing := _put_on(set(server_ids), edits) - {n.id for n in decided.networks} - set(known):
        rows = VirtualNetwork.objects.filter(pk__in=missing)
        decided = replace(decided, networks=(*decided.networks, *map(_network, rows)))
    return Drafted(decided, apply_edits(decided, edits), edits)


def _put_on(servers: Collection[int], edits: Sequence[Edit]) -> set[str]:
    """Stored networks that the edits assign on those servers, or put containers of theirs into."""
    found, created = set(), set()
    for edit in edits:
        match edit:
            case Assign(network=network, server=server) if server in servers:
                found.add(network)
            case AddMember(network=network, interface=interface) if interface.server in servers:
                found.add(network)
            case CreateNetwork(id=network):
                created.add(network)
    return found - created


def _network(row: VirtualNetwork) -> Network:
    return Network(str(row.pk), row.name, row.description, row.bridge or "")
