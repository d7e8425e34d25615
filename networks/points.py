"""End points of questions about visibility as text: in addresses of pages, and as a person types them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import InterfaceKey
from networks.domain.visibility import EndPoint, OtherHosts
from nodes.models import Container, ContainerInterface, PhysicalSegment, PhysicalServer
from nodes.querysets import AnyUser
from vnetpanel.numbers import is_number

OTHER_HOSTS = "other hosts"
MOST_OFFERED = 200
MOST_CHOICES = 8
_TYPED = re.compile(
    r"(?:container\s+)?(?P<name>\S+?)(?:\s+(?P<ifname>(?:eth|venet)\S*))?(?:\s+(?:on|of|at)\s+(?P<server>\S.*))?",
    re.I,
)


class UnknownPoint(ValueError):
    """The text names nothing, or more than one thing; the sentence says which.

    `choices` are what could be meant, each as one would type it.
    """

    def __init__(self, sentence: str, choices: Iterable[str] = ()) -> None:
        super().__init__(sentence)
        self.choices = tuple(choices)


def point_text(point: EndPoint) -> str:
    """Short and stable: "c:3:303", "i:3:303:eth0", "s:3" or "o:1"."""
    match point:
        case ContainerKey(server, ctid):
            return f"c:{server}:{ctid}"
        case InterfaceKey(server, ctid, ifname):
            return f"i:{server}:{ctid}:{ifname}"
        case ServerRef(server):
            return f"s:{server}"
        case OtherHosts(segment):
            return f"o:{segment}"


def read_point(text: str, user: AnyUser) -> EndPoint:
    """The end point that the text means: the short form, or as people say it ("303", "other hosts").

    Raises UnknownPoint, also for what the user may not see.
    """
    text = " ".join(text.replace("\0", "").split())
    if not text:
        raise UnknownPoint("Say a Container, a physical server or “other hosts”.")
    point = short_point(text) or _typed(text, user)
    if point is None and (whose := _of_many(text, user)):
        raise UnknownPoint(f"“{text[:60]}” is an interface in Containers: say in which.", whose)
    if point is None or not _is_visible(point, user):
        raise UnknownPoint(
            f"There is no Container, physical server or segment “{text[:60]}” that you may see."
        )
    return point


def short_point(text: str) -> EndPoint | None:
    """The end point of the short form that `point_text` gives; None for any other text."""
    match text.split(":"):
        case ["c", server, ctid] if is_number(server):
            return ContainerKey(int(server), ctid)
        case ["i", server, ctid, ifname] if is_number(server):
            return InterfaceKey(int(server), ctid, ifname)
        case ["s", server] if is_number(server):
            return ServerRef(int(server))
        case ["o", segment] if is_number(segment):
            return OtherHosts(int(segment))
    return None


def _typed(text: str, user: AnyUser) -> EndPoint | None:
    if text.lower().startswith(OTHER_HOSTS):
        return _others(text[len(OTHER_HOSTS) :].strip(" “”\"'on") or "")
    servers = PhysicalServer.objects.visible_to(user)
    if server := servers.filter(name__iexact=text).first():
        return ServerRef(server.pk)
    found = _TYPED.fullmatch(text)
    if found is None:
        return None
    rows = Container.objects.filter(server__in=servers.values("pk"), gone_at=None).select_related("server")
    rows = rows.filter(ctid=found["name"]) | rows.filter(name__iexact=found["name"])
    if found["server"]:
        rows = rows.filter(server__name__iexact=found["server"])
    containers = list(rows[:5])
    if len(containers) > 1:
        named = [f"{row.ctid} on {row.server}" for row in containers[:4]]
        said = ", ".join(f"“{one}”" for one in named)
        raise UnknownPoint(f"There are several Containers “{found['name']}”: say {said}.", named)
    if not containers:
        return None
    key = ContainerKey(containers[0].server_id, containers[0].ctid)
    return InterfaceKey(key.server, key.ctid, found["ifname"]) if found["ifname"] else key


def _of_many(name: str, user: AnyUser) -> list[str]:
    """Interfaces of that name in running Containers, as one would type them: the first few."""
    rows = ContainerInterface.objects.filter(
        container__server__in=PhysicalServer.objects.visible_to(user).values("pk"),
        container__gone_at=None,
        gone_at=None,
        ifname__iexact=name,
    ).select_related("container__server")
    first = rows.order_by("container__server__name", "container__ctid")[:MOST_CHOICES]
    return [f"{row.container.ctid} {row.ifname} on {row.container.server}" for row in first]


def _others(name: str) -> OtherHosts | None:
    segments = PhysicalSegment.objects.all()
    named = segments.filter(name__iexact=name) if name else segments.order_by("-is_default", "pk")
    segment = named.first()
    return OtherHosts(segment.pk) if segment else None


def _is_visible(point: EndPoint, user: AnyUser) -> bool:
    match point:
        case OtherHosts(segment):
            return PhysicalSegment.objects.filter(pk=segment).exists()
        case ServerRef(server):
            return PhysicalServer.objects.visible_to(user).filter(pk=server).exists()
        case ContainerKey(server, ctid):
            rows = Container.objects.filter(server_id=server, ctid=ctid, gone_at=None)
        case InterfaceKey(server, ctid, ifname):
            rows = ContainerInterface.objects.filter(
                container__server_id=server, container__ctid=ctid, ifname=ifname, gone_at=None
            )  # type: ignore[assignment]
    return rows.exists() and PhysicalServer.objects.visible_to(user).filter(pk=server).exists()


@dataclass(frozen=True, slots=True)
class Offer:
    """One choice of the form: what is typed, and what it is."""

    text: str
    label: str


def offers(user: AnyUser) -> list[Offer]:
    """What the form suggests: other hosts, servers, containers; of each the first in a large installation."""
    servers = list(PhysicalServer.objects.visible_to(user).order_by("name")[:MOST_OFFERED])
    containers = (
        Container.objects.filter(
            server__in=PhysicalServer.objects.visible_to(user).values("pk"), gone_at=None
        )
        .select_related("server")
        .order_by("server__name", "ctid")[:MOST_OFFERED]
    )
    return [
        Offer(OTHER_HOSTS, "whatever else is on the physical network"),
        *(Offer(server.name, "Physical Server") for server in servers),
        *(
            Offer(f"{row.ctid} on {row.server}", row.name or row.hostname or "Container")
            for row in containers
        ),
    ]


def spoken(point: EndPoint, user: AnyUser) -> str:
    """The end point as a person would type it."""
    match point:
        case OtherHosts():
            return OTHER_HOSTS
        case ServerRef(server):
            return PhysicalServer.objects.get(pk=server).name
        case ContainerKey(server, ctid):
            return f"{ctid} on {PhysicalServer.objects.get(pk=server).name}"
        case InterfaceKey(server, ctid, ifname):
            return f"{ctid} {ifname} on {PhysicalServer.objects.get(pk=server).name}"
