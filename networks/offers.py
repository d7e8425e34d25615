"""What a form offers on a server: its adapters and its containers' interfaces, and who has the taken ones."""

from __future__ import annotations

from collections.abc import Iterable

from networks.choices import UNUSABLE_BOND_MODES
from networks.domain.state import Desired, InterfaceKey
from networks.forms.network import AdapterChoice, InterfaceChoice
from networks.models import VirtualNetwork
from networks.slices import Drafted
from nodes.choices import AdapterKind, InterfaceMode
from nodes.models import Adapter, Container, ContainerInterface, PhysicalServer
from vnetpanel.numbers import is_number


def interface_value(key: InterfaceKey) -> str:
    """An interface as a form value; `interface_key` reads it back."""
    return f"{key.server}/{key.ctid}/{key.ifname}"


def interface_key(value: str) -> InterfaceKey | None:
    """The interface that a form value names; None if it is none."""
    server, _, rest = value.partition("/")
    ctid, _, ifname = rest.partition("/")
    return InterfaceKey(int(server), ctid, ifname) if is_number(server) and ctid and ifname else None


def interface_keys(values: Iterable[str]) -> list[InterfaceKey]:
    """The interfaces that form values name; what names none is left out."""
    return [key for value in values if (key := interface_key(value))]


def adapters_offered(server: PhysicalServer, part: Drafted, network_id: str) -> list[AdapterChoice]:
    """The server's adapters for one network; taken ones name the network that has them.

    VLAN adapters that the draft makes are among them; one that it deletes is not to be had any more.
    """
    state = part.drafted
    names = network_names(state)
    taken = {
        a.adapter: f"taken by {names.get(a.network, 'another virtual network')}"
        for a in state.assignments_on(server.pk)
        if a.adapter and a.network != network_id
    }
    planned = {vlan.name: vlan for vlan in state.vlans_on(server.pk)}
    taken |= {
        v.name: "deleted in your draft" for v in part.decided.vlans_on(server.pk) if v.name not in planned
    }
    rows = Adapter.objects.filter(server=server, gone_at=None).select_related("base", "bond").order_by("name")
    choices = [_adapter_choice(row, taken) for row in rows]
    listed = {choice.name for choice in choices}
    decided = {vlan.name for vlan in part.decided.vlans_on(server.pk)}
    for name, vlan in sorted(planned.items()):
        if name not in listed:
            found = "not found" if name in decided else "to be made"
            label = f"{name} (VLAN {vlan.vid} on {vlan.base}, {found})"
            choices.append(AdapterChoice(name, label, taken.get(name, "")))
    chosen = state.assignment(network_id, server.pk)
    # Saved untouched, the form must say what is so: browsers do not send what is disabled.
    if chosen and chosen.adapter and chosen.adapter not in {*listed, *planned}:
        choices.append(AdapterChoice(chosen.adapter, f"{chosen.adapter} (not found any more)"))
    return [
        AdapterChoice(one.name, f"{one.label} — {one.taken}")
        if one.taken and chosen and one.name == chosen.adapter
        else one
        for one in choices
    ]


def _adapter_choice(row: Adapter, held: dict[str, str]) -> AdapterChoice:
    label = f"{row.name} ({row.get_kind_display()}{f' {row.vlan_id}' if row.kind == AdapterKind.VLAN else ''}"
    label += ", carries the panel's connection)" if row.is_management else ")"
    taken = held.get(row.name, "")
    if not taken and row.bond_id:
        taken = f"a slave of {row.bond.name if row.bond else 'a bond'}"
    elif not taken and row.kind == AdapterKind.BOND and row.bond_mode in UNUSABLE_BOND_MODES:
        taken = f"bond mode {row.bond_mode} ({UNUSABLE_BOND_MODES[row.bond_mode]}) cannot be bridged"
    return AdapterChoice(row.name, label, taken)


def interfaces_offered(server: PhysicalServer, state: Desired, network_id: str) -> list[InterfaceChoice]:
    """Interfaces of the server's containers; host-routed ones and those in another network say so."""
    names = network_names(state)
    rows = (
        ContainerInterface.objects.filter(container__server=server, gone_at=None, container__gone_at=None)
        .select_related("container")
        .order_by("container__ctid", "ifname")
    )
    choices = []
    for row in rows:
        container = row.container
        key = InterfaceKey(server.pk, container.ctid, row.ifname)
        networks = [member.network for member in state.memberships(key)]
        refused = ""
        if row.mode == InterfaceMode.HOST_ROUTED and not networks:
            refused = "host-routed; only bridged interfaces can join"
        elif networks and network_id not in networks:
            refused = f"in {names.get(networks[0], 'another virtual network')}"
        label = " ".join(filter(None, (container.ctid, container.name or container.hostname, row.ifname)))
        choices.append(
            InterfaceChoice(interface_value(key), label, refused, ", ".join(row.addresses) or row.mac)
        )
    return choices + _unseen(server, state, network_id, choices)


def _unseen(
    server: PhysicalServer, state: Desired, network_id: str, found: list[InterfaceChoice]
) -> list[InterfaceChoice]:
    """Members that no look finds, or not yet: without them, saving the form would take them out.

    One query at most.
    """
    there = {choice.value for choice in found}
    unseen = [
        m.interface
        for m in state.members_of(network_id, server.pk)
        if interface_value(m.interface) not in there
    ]
    if not unseen:
        return []
    rows = Container.objects.filter(server=server, ctid__in={key.ctid for key in unseen})
    names = {row.ctid: row.name or row.hostname for row in rows}
    made = {new.interface for new in state.new_interfaces}

    def label(key: InterfaceKey) -> str:
        why = "(to be made)" if key in made else "(not found any more)"
        return " ".join(filter(None, (key.ctid, names.get(key.ctid), key.ifname, why)))

    return [InterfaceChoice(interface_value(key), label(key)) for key in sorted(unseen)]


def network_names(*states: Desired) -> dict[str, str]:
    """Names of networks, those that the states mention without holding them read from their rows."""
    names = {network.id: network.name for state in reversed(states) for network in state.networks}
    mentioned = {a.network for state in states for a in state.assignments}
    mentioned |= {m.network for state in states for m in state.members}
    missing = mentioned - names.keys()
    if missing:
        rows = VirtualNetwork.objects.filter(pk__in=missing).values_list("pk", "name")
        names |= {str(pk): name for pk, name in rows}
    return names
