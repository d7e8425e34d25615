"""Small words of the pages of virtual networks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import template
from django.utils.dateparse import parse_datetime

from networks.choices import ChangeState, OperationState
from networks.domain.state import InterfaceKey, Network
from networks.looking_back import then
from networks.models import Behind, Change
from networks.overview import Activity
from networks.services.drift import is_rehearsed, reboot_risks
from networks.services.forward import servers_behind
from networks.services.preparing import is_outdated
from nodes.models import Container, ContainerInterface, PhysicalServer
from nodes.querysets import AnyUser

register = template.Library()

_COLOURS = {
    ChangeState.DONE: "green",
    ChangeState.BEHIND: "yellow",
    ChangeState.PARTLY: "orange",
    OperationState.LEFT_OUT: "yellow",
    OperationState.QUEUED: "secondary",
    ChangeState.FAILED: "red",
    ChangeState.NEEDS_ATTENTION: "red",
    ChangeState.CANCELLED: "secondary",
    ChangeState.DISCARDED: "secondary",
    ChangeState.ROLLING_BACK: "orange",
    ChangeState.PLANNED: "secondary",
    OperationState.COMMITTED: "green",
    OperationState.ROLLED_BACK: "secondary",
    OperationState.IN_DOUBT: "yellow",
}


@register.filter
def change_colour(state: str) -> str:
    """Tabler's status colour of a Change's or an operation's state; what is under way is azure."""
    return _COLOURS.get(state, "azure")  # type: ignore[call-overload]


@register.simple_tag
def network_of(interface: ContainerInterface) -> Any:
    """The virtual network (`id`, `name`) that the interface is in, or was at the revision looked back at."""
    revision = then()
    if revision is None:
        membership = getattr(interface, "membership", None)
        return membership and membership.network
    container = interface.container
    key = InterfaceKey(container.server_id, container.ctid, interface.ifname)
    joined = revision.state.memberships(key)
    return revision.state.network(joined[0].network) if joined else None


@register.simple_tag
def members_lost(container: Container, interfaces: Iterable[ContainerInterface]) -> list[tuple[str, Network]]:
    """Names and networks of interfaces that were in one then and are not found in the container any more."""
    revision = then()
    if revision is None:
        return []
    found = {interface.ifname for interface in interfaces}
    here = [m for m in revision.state.members_on(container.server_id) if m.interface.ctid == container.ctid]
    lost = [(m.interface.ifname, revision.state.network(m.network)) for m in here]
    return [(ifname, network) for ifname, network in lost if network and ifname not in found]


@register.simple_tag
def under_way(network_id: Any, activity: Activity) -> Change | None:
    """The undecided Change that touches the network, if there is one."""
    return activity.changing.get(str(network_id))


@register.filter
def moment(text: str) -> Any:
    """An ISO time of a stored event as a datetime, for the date filter."""
    return parse_datetime(text) or ""


@register.filter
def until(began: datetime, ended: datetime) -> str:
    """How long that was: "under 1 s", "12 s", "3 min 5 s", "2 h 10 min"."""
    seconds = max(0, round((ended - began).total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours} h {minutes % 60} min"
    if minutes:
        return f"{minutes} min {seconds % 60} s"
    return f"{seconds} s" if seconds else "under 1 s"


@register.inclusion_tag("networks/inc/next_boot.html")
def next_boot(server: PhysicalServer) -> dict[str, Any]:
    """The reboot rehearsal (rule 14): what the server's boot would produce against what runs."""
    return {"server": server, "risks": reboot_risks(server), "is_rehearsed": is_rehearsed(server)}


@register.filter
def has_other_programs(server: PhysicalServer) -> bool:
    """Whether the panel gets in by its own user there, and finds programs of another version."""
    return is_outdated(server)


@register.simple_tag
def behind_of(server: PhysicalServer, user: AnyUser) -> Behind | None:
    """How the server is behind what was decided, for that reader; None if it is not. One query."""
    return servers_behind(user).filter(server=server).first()
