"""Rows of a container's network parameters: what the last look saw, and what the draft does to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from networks.domain.errands import HOST_ROUTED
from networks.domain.state import (
    AddMember,
    CreateNetwork,
    DeleteNetwork,
    Desired,
    InterfaceKey,
    RemoveMember,
)
from networks.looking_back import then
from networks.models import Member, VirtualNetwork
from networks.offers import network_names
from networks.slices import Drafted
from nodes.choices import ContainerStatus, InterfaceMode
from nodes.models import Container, ContainerInterface


@dataclass(frozen=True, slots=True)
class AddressShown:
    """One IP address. `mark` is "new" or "removed" where the draft differs."""

    text: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class InterfaceShown:
    """One network adapter of the container; `row` is None while only the draft knows it.

    `mark` is "new" or "removed"; `network_mark` "changed" where the draft moves it. `no_address` says why its
    addresses cannot be changed here, "" if they can.
    """

    key: InterfaceKey
    row: ContainerInterface | None
    is_host_routed: bool = False
    mark: str = ""
    network_id: str = ""
    network: str = ""
    network_mark: str = ""
    addresses: tuple[AddressShown, ...] = ()
    addresses_known: bool = True
    mac: str = ""
    no_address: str = ""

    @property
    def name(self) -> str:
        return self.key.ifname

    @property
    def is_lost(self) -> bool:
        """Whether it was in a network then and is not found in the container any more."""
        return self.row is None and not self.mark and bool(self.network_id)


@dataclass(frozen=True, slots=True)
class NetworkChoice:
    """A virtual network that an interface may be put into; `refused` says why it may not."""

    value: str
    label: str
    refused: str = ""


def interfaces_shown(container: Container, part: Drafted) -> list[InterfaceShown]:
    """The host-routed adapter first (also while it has no address), then bridged ones, drafted ones last."""
    rows = {
        row.ifname: row
        for row in ContainerInterface.objects.filter(container=container, gone_at=None).select_related(
            "bridge"
        )
    }
    names = network_names(part.decided, part.drafted)
    made = {
        new.interface.ifname: new.mac
        for new in part.drafted.new_interfaces
        if (new.interface.server, new.interface.ctid) == (container.server_id, container.ctid)
    }
    # Of today's, what is lost is a problem of its network's; then it was there.
    then_there = part.decided.members_on(container.server_id) if then() is not None else ()
    lost = {m.interface.ifname for m in then_there if m.interface.ctid == container.ctid}
    order = sorted({*rows, *made, *lost, HOST_ROUTED}, key=lambda n: (n != HOST_ROUTED, n in made, len(n), n))
    return [_shown(container, part, names, ifname, rows.get(ifname), made) for ifname in order]


def _shown(
    container: Container,
    part: Drafted,
    names: dict[str, str],
    ifname: str,
    row: ContainerInterface | None,
    made: dict[str, str],
) -> InterfaceShown:
    key = InterfaceKey(container.server_id, container.ctid, ifname)
    now, before = _network(part.drafted, key), _network(part.decided, key)
    is_host_routed = ifname == HOST_ROUTED or (row is not None and row.mode == InterfaceMode.HOST_ROUTED)
    mark = (
        "removed" if key in part.drafted.gone_interfaces else "new" if row is None and ifname in made else ""
    )
    return InterfaceShown(
        key,
        row,
        is_host_routed,
        mark,
        network_id=now,
        network=names.get(now, ""),
        network_mark="changed" if now != before else "",
        addresses=_addresses(row, part.drafted, key),
        addresses_known=row is None or row.addresses_known,
        mac=row.mac if row else made.get(ifname, ""),
        no_address="" if is_host_routed else _no_address(container, ifname),
    )


def _network(state: Desired, key: InterfaceKey) -> str:
    members = state.memberships(key)
    return members[0].network if members else ""


def _addresses(row: ContainerInterface | None, state: Desired, key: InterfaceKey) -> tuple[AddressShown, ...]:
    changes = [change for change in state.address_changes if change.interface == key]
    gone = {change.address.partition("/")[0] for change in changes if not change.is_wanted}
    seen = row.addresses if row else []
    return (
        *(AddressShown(text, "removed" if text.partition("/")[0] in gone else "") for text in seen),
        *(AddressShown(change.address, "new") for change in changes if change.is_wanted),
    )


def _no_address(container: Container, ifname: str) -> str:
    """Why the addresses of a bridged adapter cannot be changed; domain/rules/interfaces.py says so too."""
    if any(ifname in group for group in container.joined):
        return "A bridge inside the container joins it to others and has the IP addresses."
    if container.server.vzctl_dialect == "4" and container.status != ContainerStatus.RUNNING:
        return (
            "vzctl 4 keeps no IP addresses of bridged network adapters: they are set inside the container, "
            "which has to run for it."
        )
    return ""


def networks_offered(container: Container, part: Drafted) -> list[NetworkChoice]:
    """All virtual networks, stored and drafted, for a bridged interface of the container.

    Two queries, three if the draft takes containers of other servers out of networks.
    """
    deleted = {edit.id for edit in part.edits if isinstance(edit, DeleteNetwork)}
    found = {
        str(pk): name
        for pk, name in VirtualNetwork.objects.values_list("pk", "name")
        if str(pk) not in deleted
    }
    found |= {edit.id: edit.name for edit in part.edits if isinstance(edit, CreateNetwork)}
    elsewhere = _used_elsewhere(container.server_id, part)
    choices = []
    for network_id, name in sorted(found.items(), key=lambda item: item[1].casefold()):
        assignment = part.drafted.assignment(network_id, container.server_id)
        adapter = assignment.adapter if assignment else None
        refused = ""
        if adapter is None and network_id in elsewhere:
            refused = "has containers on other servers: assign it to a network adapter here first"
        where = f" (on {adapter})" if adapter else " (local here)" if not refused else ""
        choices.append(NetworkChoice(network_id, f"{name}{where}", refused))
    return choices


def _used_elsewhere(server_id: int, part: Drafted) -> set[str]:
    """Networks with members on other servers, as the draft has them. One query, two if it takes some out."""
    left: set[InterfaceKey] = set()
    put: dict[InterfaceKey, set[str]] = {}
    for edit in part.edits:
        match edit:
            case RemoveMember(interface=key) if key.server != server_id:
                left.add(key)
                put.pop(key, None)
            case AddMember(network=network, interface=key) if key.server != server_id:
                put.setdefault(key, set()).add(network)
    rows = Member.objects.exclude(interface__container__server_id=server_id).order_by()
    leaving = _members_among(left, rows)
    counts = rows.values_list("network_id").annotate(number=Count("pk"))
    found = {str(pk) for pk, number in counts if number > leaving[str(pk)]}
    return found.union(*put.values())


def _members_among(left: set[InterfaceKey], rows: QuerySet[Member]) -> Counter[str]:
    """How many of the members are those interfaces, by network. No query for none of them."""
    if not left:
        return Counter()
    # Of their servers only: there may be a hundred thousand members.
    there = "interface__container__"
    near = rows.filter(**{f"{there}server_id__in": {key.server for key in left}})
    named = near.values_list("network_id", f"{there}server_id", f"{there}ctid", "interface__ifname")
    return Counter(str(network) for network, *key in named if InterfaceKey(*key) in left)


def next_name(shown: Iterable[InterfaceShown]) -> str:
    """The first of eth0, eth1, … that the container does not have."""
    taken = {one.name for one in shown}
    number = 0
    while f"eth{number}" in taken:
        number += 1
    return f"eth{number}"
