"""Choosing containers of any server for a network: searched, in pages, without JavaScript."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Case, Q, When

from networks.domain.state import AddMember, Edit, InterfaceKey, RemoveMember
from networks.offers import interface_value
from networks.slices import Drafted
from nodes.choices import InterfaceMode, ServerOS
from nodes.models import ContainerInterface
from nodes.querysets import AnyUser

PER_PAGE = 25
MOST_AT_ONCE = 1000
SORTS = {
    "ctid": "container__ctid",
    "server": "container__server__name",
    "network": "membership__network__name",
}
"""Columns that the list can be sorted by."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One interface that may be added. `now_in` is the network it leaves for that; `refused` says why not."""

    value: str
    row: ContainerInterface
    now_in: str = ""
    refused: str = ""


def candidates(
    user: AnyUser, network_id: str, part: Drafted, text: str, page: int, sort: str = ""
) -> tuple[list[Candidate], bool]:
    """One page of interfaces that are not in the network, free ones first; are there more? One query.

    `sort` is a key of SORTS, with a "-" before it for the other way round.
    """
    start = (page - 1) * PER_PAGE
    rows = _outside(user, network_id, text, sort)
    # Keys first: else all that is shown of an interface is sorted for every interface there is.
    found = list(rows.filter(pk__in=rows.values("pk")[start : start + PER_PAGE + 1]))
    return _shown(found[:PER_PAGE], network_id, part), len(found) > PER_PAGE


def all_candidates(user: AnyUser, network_id: str, part: Drafted, text: str) -> Iterator[Candidate]:
    """Every interface that `candidates` would list, read as it is asked for."""
    rows = _outside(user, network_id, text).iterator(chunk_size=1000)
    while some := list(islice(rows, 1000)):
        yield from _shown(some, network_id, part)


def _outside(user: AnyUser, network_id: str, text: str, sort: str = "") -> Any:
    """Host-routed ones appear only where somebody searches: else half of all would be those."""
    rows = _matching(user, text)
    if not text:
        rows = rows.filter(mode=InterfaceMode.BRIDGED)
    rows = rows.exclude(pk__in=rows.filter(membership__network=network_id).values("pk"))
    order: list[Any] = ["container__server__name", "container__ctid", "ifname", "pk"]
    if column := SORTS.get(sort.removeprefix("-")):
        order.insert(0, f"-{column}" if sort.startswith("-") else column)
    elif not sort:
        order.insert(0, Case(When(membership=None, then=0), default=1))
    return rows.select_related("container__server", "membership__network").order_by(*order)


def _shown(rows: Iterable[ContainerInterface], network_id: str, part: Drafted) -> list[Candidate]:
    drafted = _drafted_homes(part.edits)
    shown = []
    for row in rows:
        key = _key(row)
        home = drafted.get(key, str(row.membership.network_id) if hasattr(row, "membership") else "")
        if home != network_id:
            shown.append(Candidate(interface_value(key), row, _name(row, home, part), _refused(row)))
    return shown


def all_matching(user: AnyUser, text: str) -> list[InterfaceKey]:
    """Every free bridged interface that the search finds, up to MOST_AT_ONCE."""
    rows = _matching(user, text).filter(mode=InterfaceMode.BRIDGED, membership=None)
    return [_key(row) for row in rows.select_related("container").order_by("pk")[:MOST_AT_ONCE]]


def joining_edits(network_id: str, keys: Iterable[InterfaceKey], part: Drafted) -> list[Edit]:
    """Edits that put the interfaces into the network; one that is in another leaves that first."""
    edits: list[Edit] = []
    for key in dict.fromkeys(keys):
        homes = {member.network for member in part.drafted.memberships(key)}
        if network_id in homes:
            continue
        if homes:
            edits.append(RemoveMember(key))
        edits.append(AddMember(network_id, key))
    return edits


def _matching(user: AnyUser, text: str) -> Any:
    rows = ContainerInterface.objects.operable_by(user).present()
    rows = rows.filter(container__server__os=ServerOS.LINUX)
    if text:
        rows = rows.filter(
            Q(container__ctid__istartswith=text)
            | Q(container__name__icontains=text)
            | Q(container__hostname__icontains=text)
            | Q(container__server__name__icontains=text)
            | Q(addresses_text__icontains=text)
            | Q(mac__icontains=text)
        )
    return rows


def _key(row: ContainerInterface) -> InterfaceKey:
    return InterfaceKey(row.container.server_id, row.container.ctid, row.ifname)


def _drafted_homes(edits: Sequence[Edit]) -> dict[InterfaceKey, str]:
    """Where the draft puts interfaces: the id of a network, or "" for none."""
    homes: dict[InterfaceKey, str] = {}
    for edit in edits:
        if isinstance(edit, RemoveMember):
            homes[edit.interface] = ""
        elif isinstance(edit, AddMember):
            homes[edit.interface] = edit.network
    return homes


def _name(row: ContainerInterface, home: str, part: Drafted) -> str:
    if not home:
        return ""
    drafted = part.drafted.network(home)
    if drafted is not None:
        return drafted.name
    stored = row.membership.network if hasattr(row, "membership") else None
    return stored.name if stored is not None and str(stored.pk) == home else "another virtual network"


def _refused(row: ContainerInterface) -> str:
    return "host-routed; only bridged interfaces can join" if row.mode == InterfaceMode.HOST_ROUTED else ""
