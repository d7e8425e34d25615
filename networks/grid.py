"""The grid of servers and networks: where each network is on each server, as choices, and back as edits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from networks.domain.state import Assign, Desired, Edit, Network, Unassign
from networks.forms.network import LOCAL, NONE
from networks.slices import Cells
from nodes.models import PhysicalServer

ADAPTER = "adapter:"


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a cell."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One network on one server. `said` is what is chosen in words, for who may not change it."""

    name: str
    network: Network
    options: tuple[Option, ...]
    members_count: int
    is_changed: bool
    may_change: bool
    shown: str = ""
    """The value that is so, whatever was chosen and not taken."""

    @property
    def shown_name(self) -> str:
        return shown_name(self.name)

    @property
    def said(self) -> str:
        return next((option.label for option in self.options if option.is_chosen), "")


@dataclass(frozen=True, slots=True)
class Row:
    """One server of the grid, a cell for each network."""

    server: PhysicalServer
    cells: tuple[Cell, ...]


def cell_name(server_id: int, network_id: str) -> str:
    """The form field of a cell."""
    return f"on-{server_id}-{network_id}"


def rows(
    servers: Sequence[PhysicalServer],
    networks: Sequence[Network],
    part: Cells,
    operable: frozenset[int],
    posted: Mapping[str, str] | None = None,
) -> list[Row]:
    """The grid of those servers and networks; `posted` are choices that were sent and not taken.

    An adapter that another network has is offered with its name: two networks can trade adapters at once.
    """
    names = {n.id: n.name for n in (*part.drafted.networks, *networks)}
    return [
        Row(
            server,
            tuple(
                _cell(server, network, part, names, server.pk in operable, posted or {})
                for network in networks
            ),
        )
        for server in servers
    ]


def _cell(
    server: PhysicalServer,
    network: Network,
    part: Cells,
    names: Mapping[str, str],
    may_change: bool,
    posted: Mapping[str, str],
) -> Cell:
    name = cell_name(server.pk, network.id)
    members_count = len(part.drafted.containers_of(network.id, server.pk))
    shown = value_of(network.id, server.pk, part.drafted)
    chosen = posted.get(name) or shown
    holders = {a.adapter: a.network for a in part.drafted.assignments_on(server.pk) if a.adapter}
    planned = {v.name for v in part.drafted.vlans_on(server.pk)}
    dropped = {v.name for v in part.decided.vlans_on(server.pk)} - planned
    known = [one.name for one in part.adapters.get(server.pk, []) if one.name not in dropped]
    known += sorted(planned - set(known))
    if chosen.startswith(ADAPTER) and chosen.removeprefix(ADAPTER) not in known:
        known.append(chosen.removeprefix(ADAPTER))
    choices = [] if members_count else [(NONE, "not here")]
    choices.append((LOCAL, "local"))
    for adapter in known:
        holder = holders.get(adapter, network.id)
        taken = "" if holder == network.id else f" ({names.get(holder, 'taken')})"
        choices.append((f"{ADAPTER}{adapter}", f"{adapter}{taken}"))
    before, now = (state.assignment(network.id, server.pk) for state in (part.decided, part.drafted))
    return Cell(
        name,
        network,
        tuple(Option(value, label, value == chosen) for value, label in choices),
        members_count,
        (before and before.adapter, before is None) != (now and now.adapter, now is None),
        may_change and server.is_managed,
        shown,
    )


def value_of(network_id: str, server_id: int, state: Desired) -> str:
    """What is chosen in a cell: none, local (also by members alone), or an adapter."""
    assignment = state.assignment(network_id, server_id)
    if assignment is None:
        return LOCAL if state.members_of(network_id, server_id) else NONE
    return f"{ADAPTER}{assignment.adapter}" if assignment.adapter else LOCAL


def said(network_id: str, server_id: int, state: Desired) -> str:
    """What is chosen in a cell, in words."""
    value = value_of(network_id, server_id, state)
    return "not here" if value == NONE else value.removeprefix(ADAPTER)


def shown_name(cell: str) -> str:
    """The hidden form field that says what a cell showed."""
    return f"shown-{cell}"


def touched(posted: Mapping[str, str]) -> dict[str, str]:
    """What was chosen in cells that were touched, by their names.

    A cell that was left as the page showed it is nobody's wish: others may have decided since.
    """
    return {
        name: value
        for name, value in posted.items()
        if name.startswith("on-") and posted.get(shown_name(name)) != value
    }


def servers_of_cells(
    posted: Mapping[str, str], servers: Iterable[int], networks: Collection[str]
) -> set[int]:
    """Those of the servers for which something was chosen in a cell of those networks."""
    return {s for s in servers if any(cell_name(s, network) in posted for network in networks)}


def chosen_edits(
    posted: Mapping[str, str], servers: Iterable[int], networks: Iterable[str], state: Desired
) -> list[Edit]:
    """Edits from the state to what was chosen in the cells of those servers and networks."""
    edits: list[Edit] = []
    networks = list(networks)
    for server in servers:
        for network in networks:
            value = posted.get(cell_name(server, network))
            if value is not None and value != value_of(network, server, state):
                edits += choice_edits(network, server, value, state)
    return edits


def choice_edits(network: str, server: int, value: str, state: Desired) -> list[Edit]:
    """The edits that a choice stands for, other than the one that is so."""
    if value == LOCAL:
        return [Assign(network, server, None)]
    if value.startswith(ADAPTER) and len(value) > len(ADAPTER):
        return [Assign(network, server, value.removeprefix(ADAPTER))]
    return [Unassign(network, server)] if state.assignment(network, server) else []
