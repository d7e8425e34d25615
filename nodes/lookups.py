"""Finding things by a piece of their name, CTID, MAC or IP address: one query over the whole inventory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import Case, CharField, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Cast

from nodes.models import Adapter, Container, ContainerInterface, PhysicalServer, ServerGroup
from nodes.querysets import AnyUser

Kind = Literal["group", "server", "container", "adapter", "interface"]

_ADDRESS = re.compile(r"[0-9a-fA-F]*[:.][0-9a-fA-F:./]*")


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found. `title` is its own name, `place` where it is; `pk` is that of `kind`'s model.

    `server_id` and `container_id` lead to the page it is shown on (None where there is none).
    """

    kind: Kind
    pk: int
    title: str
    place: str
    detail: str
    server_id: int | None
    container_id: int | None


def search(user: AnyUser, text: str, limit: int = 20) -> list[Hit]:
    """What the user may see and the text is found in, best first: at most `limit` hits, one query.

    Each kind gets its share, so that fifty containers do not hide the one server. What has vanished is left
    out. (A second query reads the user's roles, once per request.)
    """
    # PostgreSQL refuses NUL in any text, even in what is only compared.
    text = text.replace("\0", "").strip()[:100]
    if not text:
        return []
    share = max(3, limit // 3)
    arms = [_arm(kind, _best(found, kind, text)[:share]) for kind, found in _matches(user, text)]
    rows = arms[0].union(*arms[1:], all=True) if len(arms) > 1 else arms[0]
    hits = [Hit(*row) for row in rows]
    wanted = text.lower()
    hits.sort(key=lambda hit: (_rank(hit, wanted), _ORDER.index(hit.kind), hit.title.lower(), hit.pk))
    return hits[:limit]


_ORDER: tuple[Kind, ...] = ("group", "server", "container", "adapter", "interface")


def _rank(hit: Hit, wanted: str) -> int:
    """0: the very thing, 1: begins so, 2: has it somewhere."""
    words = [hit.title.lower(), *hit.detail.lower().split()]
    if any(wanted == word or wanted == word.partition("/")[0] for word in words):
        return 0
    return 1 if any(word.startswith(wanted) for word in words) else 2


def _matches(user: AnyUser, text: str) -> Iterable[tuple[Kind, QuerySet[Any]]]:
    """For each kind the rows that match, narrowed to what can match at all: a MAC is no group's name."""
    if not _ADDRESS.fullmatch(text):
        yield "group", ServerGroup.objects.visible_to(user).filter(name__icontains=text)
    yield (
        "server",
        PhysicalServer.objects.visible_to(user).filter(
            Q(name__icontains=text) | Q(address__icontains=text) | Q(hostname__icontains=text)
        ),
    )
    containers = Container.objects.visible_to(user).present()
    yield (
        "container",
        containers.filter(
            Q(ctid__istartswith=text)
            | Q(name__icontains=text)
            | Q(hostname__icontains=text)
            | Q(host_routed_text__icontains=text)
        ),
    )
    adapters = Adapter.objects.visible_to(user).present()
    interfaces = ContainerInterface.objects.visible_to(user).present()
    if _ADDRESS.fullmatch(text):
        by_address = Q(mac__icontains=text) | Q(addresses_text__icontains=text)
        yield "adapter", adapters.filter(by_address | Q(name__istartswith=text))
        yield "interface", interfaces.filter(by_address | Q(host_ifname__istartswith=text))
    else:
        yield "adapter", adapters.filter(name__istartswith=text)
        yield "interface", interfaces.filter(host_ifname__istartswith=text)


def _best(found: QuerySet[Any], kind: Kind, text: str) -> QuerySet[Any]:
    """The very thing first. No other order, for that would sort by the names of servers and groups."""
    name = {"container": "ctid", "interface": "host_ifname"}.get(kind, "name")
    exact = Q(**{f"{name}__iexact": text})
    if kind == "container":
        exact |= Q(name__iexact=text)
    return found.order_by(Case(When(exact, then=0), default=1), "pk")


def _arm(kind: Kind, found: QuerySet[Any]) -> QuerySet[Any]:
    """One kind's rows in the columns of `Hit`. SQLite allows no LIMIT in a part of a union: hence pk__in."""
    rows = found.model._default_manager.filter(pk__in=found.values("pk")).order_by()
    none: Any = Value(None, output_field=IntegerField())
    columns: dict[Kind, tuple[Any, ...]] = {
        "group": (F("name"), F("parent__name"), F("description"), none, none),
        "server": (F("name"), F("group__name"), F("address"), F("pk"), none),
        "container": (F("ctid"), F("server__name"), F("name"), F("server_id"), F("pk")),
        "adapter": (F("name"), F("server__name"), F("addresses_text"), F("server_id"), none),
        "interface": (
            F("ifname"),
            F("container__ctid"),
            F("addresses_text"),
            F("container__server_id"),
            F("container_id"),
        ),
    }
    title, place, detail, server, container = columns[kind]
    return rows.annotate(
        hit_kind=Value(kind, output_field=CharField()),
        hit_title=Cast(title, CharField()),
        hit_place=Cast(place, CharField()),
        hit_detail=Cast(detail, CharField()),
        hit_server=Cast(server, IntegerField()),
        hit_container=Cast(container, IntegerField()),
    ).values_list("hit_kind", "pk", "hit_title", "hit_place", "hit_detail", "hit_server", "hit_container")
