"""Happenings of what-if questions as text: in addresses of pages, and as a person types them."""

from __future__ import annotations

import re

from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import AdapterKey
from networks.domain.what_if import Happening
from networks.points import MOST_CHOICES, UnknownPoint, read_point
from nodes.models import Adapter, PhysicalServer
from nodes.querysets import AnyUser
from vnetpanel.numbers import is_number

_ADAPTER = re.compile(r"(?:adapter\s+)?(?P<name>\S{1,64})\s+(?:on|of|at)\s+(?P<server>\S.*)", re.I)
LONGEST = 200


def happening_text(happening: Happening) -> str:
    """Short and stable: "c:3:303", "a:3:eth0" or "s:3"."""
    match happening:
        case ContainerKey(server, ctid):
            return f"c:{server}:{ctid}"
        case AdapterKey(server, name):
            return f"a:{server}:{name}"
        case ServerRef(server):
            return f"s:{server}"


def read_happening(text: str, user: AnyUser) -> Happening:
    """What the text means: the short form, or as people say it ("201", "eth0 on server2", "server3").

    Raises UnknownPoint, also for what the user may not see.
    """
    text = " ".join(text.replace("\0", "").split())[:LONGEST]
    if not text:
        raise UnknownPoint("Say a Container, a network adapter (“eth0 on server2”) or a physical server.")
    if (adapter := _adapter(text, user)) is not None:
        return adapter
    if " " not in text and (whose := _on_many(text, user)):
        raise UnknownPoint(f"“{text[:60]}” is a network adapter of physical servers: say of which.", whose)
    point = read_point(text, user)
    if isinstance(point, ContainerKey | ServerRef):
        return point
    raise UnknownPoint(f"“{text[:60]}” cannot stop: say a Container, a network adapter or a physical server.")


def _adapter(text: str, user: AnyUser) -> AdapterKey | None:
    servers = PhysicalServer.objects.visible_to(user).values("pk")
    rows = Adapter.objects.filter(gone_at=None, server__in=servers)
    kind, _, rest = text.partition(":")
    if kind == "a":
        server, _, name = rest.partition(":")
        found = rows.filter(server_id=int(server), name=name) if is_number(server) else rows.none()
    elif match := _ADAPTER.fullmatch(text):
        found = rows.filter(server__name__iexact=match["server"], name__iexact=match["name"])
    else:
        return None
    row = found.values_list("server_id", "name").first()
    if row is None:
        if kind == "a":
            raise UnknownPoint("There is no such network adapter that you may see.")
        return None
    return AdapterKey(*row)


def _on_many(name: str, user: AnyUser) -> list[str]:
    """Adapters of that name, as one would type them: the first few."""
    servers = PhysicalServer.objects.visible_to(user).values("pk")
    rows = Adapter.objects.filter(gone_at=None, server__in=servers, name__iexact=name)
    first = rows.select_related("server").order_by("server__name")[:MOST_CHOICES]
    return [f"{row.name} on {row.server}" for row in first]


def words_of(happening: Happening, names: dict[int, str]) -> str:
    """What is asked about, in a sentence: "Container 201 on server2 stops"."""
    match happening:
        case ContainerKey(server, ctid):
            return f"Container {ctid} on {names.get(server, 'a server')} stops"
        case AdapterKey(server, name):
            return f"{name} of {names.get(server, 'a server')} loses its cable"
        case ServerRef(server):
            return f"Physical server {names.get(server, '')} is lost"
