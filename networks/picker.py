"""Choosing containers of any server for a network: searched, in pages, without JavaScript.

Pages are by key, not by number: of all lists only this one is sorted by columns of three tables.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, Value, When
from django.db.models.functions import Coalesce

from networks.domain.state import (
    AddMember,
    CreateNetwork,
    DescribeNetwork,
    Edit,
    InterfaceKey,
    RemoveMember,
)
from networks.keyset import BEGINNING, KeyPage, Part, Place, Position, is_position, page, read
from networks.models import Member, VirtualNetwork
from networks.offers import interface_value
from networks.slices import Drafted
from nodes.choices import InterfaceMode, ServerOS
from nodes.models import ContainerInterface, PhysicalServer
from nodes.querysets import AnyUser

PER_PAGE = 25
MOST_AT_ONCE = 1000
WHERE = ("container__server__name", "container__ctid", "ifname")
"""Where an interface is: no two are alike in all three, and each is in an index of its table."""
SORTS = {"ctid": "container__ctid", "server": WHERE[0], "network": "home"}
"""Columns that the list can be sorted by."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One interface that may be added. `now_in` is the network it leaves for that; `refused` says why not."""

    value: str
    row: ContainerInterface
    position: Position
    now_in: str = ""
    refused: str = ""


def candidates(
    user: AnyUser,
    network_id: str,
    edits: Sequence[Edit],
    text: str,
    place: Place = BEGINNING,
    sort: str = "",
) -> KeyPage[Candidate]:
    """One page of interfaces that are not in the network, free ones first.

    `edits` are the user's draft. One query, two where both kinds meet. `sort` is a key of SORTS, with a "-"
    before it for the other way round.
    """
    parts = _parts(user, network_id, text, sort)
    if place.position and not is_position(parts, place.position):
        place = BEGINNING
    # What the draft has put into the network is not shown; so many rows more make a full page all the same.
    hidden = sum(home == network_id for home in _drafted_homes(edits).values())

    def nearest(place: Place) -> list[Candidate]:
        return _shown(read(parts, place, PER_PAGE + 1 + hidden), network_id, edits)

    return page(nearest, place, PER_PAGE)


def all_candidates(user: AnyUser, network_id: str, edits: Sequence[Edit], text: str) -> Iterator[Candidate]:
    """Every interface that `candidates` would list, read as it is asked for."""
    for one in _parts(user, network_id, text):
        rows = ((one.position(row), row) for row in one.sorted().iterator(chunk_size=1000))
        while some := list(islice(rows, 1000)):
            yield from _shown(some, network_id, edits)


def _parts(user: AnyUser, network_id: str, text: str, sort: str = "") -> list[Part]:
    """The list as parts that a page reads no more of than it shows; searched or sorted otherwise, as one.

    Host-routed ones appear only where somebody searches: else half of all would be those.
    """
    rows = _matching(user, text).select_related("container__server", "membership__network")
    if not text:
        rows = rows.filter(mode=InterfaceMode.BRIDGED)
    servers = PhysicalServer.objects.operable_by(user).filter(os=ServerOS.LINUX)
    if not (sort or text):
        # Not as joins: PostgreSQL takes "joined to nothing" for rare.
        member = Member.objects.filter(interface=OuterRef("pk"))
        free, taken = (
            rows.exclude(Exists(member)),
            rows.filter(Exists(member.exclude(network=uuid.UUID(network_id)))),
        )
        return [Part("free", free, WHERE, servers), Part("taken", taken, WHERE, servers)]
    others = rows.exclude(membership__network=network_id).annotate(
        kind=Case(When(membership=None, then=Value("free")), default=Value("taken")),
        home=Coalesce("membership__network__name", Value("")),
    )
    column = SORTS.get(sort.removeprefix("-"), WHERE[0]) if sort else "kind"
    first = f"-{column}" if sort.startswith("-") else column
    order = (first, *(one for one in WHERE if one != column))
    return [Part("all", others, order, servers if column == WHERE[0] and not text else None)]


def _shown(
    found: Iterable[tuple[Position, ContainerInterface]], network_id: str, edits: Sequence[Edit]
) -> list[Candidate]:
    drafted, names = _drafted_homes(edits), _drafted_names(edits)
    rows = []
    for position, row in found:
        key = _key(row)
        stored = row.membership.network if hasattr(row, "membership") else None
        home = drafted.get(key, str(stored.pk) if stored else "")
        if home != network_id:
            rows.append((interface_value(key), row, position, home))
            if stored is not None:
                names.setdefault(str(stored.pk), stored.name)
    # Where only the draft has put one, into a network that is stored.
    unnamed = {uuid.UUID(home) for *_, home in rows if home and home not in names}
    if unnamed:
        found_names = VirtualNetwork.objects.filter(pk__in=unnamed).values_list("pk", "name")
        names |= {str(pk): name for pk, name in found_names}
    return [
        Candidate(
            value, row, position, names.get(home, "another virtual network") if home else "", _refused(row)
        )
        for value, row, position, home in rows
    ]


def all_matching(user: AnyUser, edits: Sequence[Edit], text: str) -> list[InterfaceKey]:
    """Every free bridged interface that the search finds, as the draft has it; one more than MOST_AT_ONCE
    where there are more.
    """
    drafted = _drafted_homes(edits)
    rows = _matching(user, text).filter(mode=InterfaceMode.BRIDGED)
    rows = rows.select_related("container", "membership").order_by("pk")
    freed = {key for key, home in drafted.items() if not home}
    # Free by what is stored, or leaving in the draft; of the latter there are as many as the draft has.
    stored = rows.filter(Q(membership=None) | Q(container__ctid__in={key.ctid for key in freed}))
    free = (
        key
        for row in stored.iterator(chunk_size=1000)
        if not drafted.get(key := _key(row), row.membership.pk if hasattr(row, "membership") else "")
    )
    return list(islice(free, MOST_AT_ONCE + 1))


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


def _drafted_names(edits: Sequence[Edit]) -> dict[str, str]:
    """What the draft calls networks that it makes or renames."""
    return {edit.id: edit.name for edit in edits if isinstance(edit, CreateNetwork | DescribeNetwork)}


def _refused(row: ContainerInterface) -> str:
    return "host-routed; only bridged interfaces can join" if row.mode == InterfaceMode.HOST_ROUTED else ""
