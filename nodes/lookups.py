"""Finding things by a piece of their name, CTID, MAC or IP address: one query over the whole inventory.

Each kind is asked in several ways: for names that begin with the text, in the order of an index, so that the
very thing is first; and for whatever has it anywhere, by number. Each ends as soon as the kind's share is
found: what thousands have costs no more than what dozens have. What hardly anything has is found by its
trigrams: PostgreSQL has indexes of them (`nodes/trigrams.py`), SQLite tables (`nodes/trigram_tables.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Literal

from django.db.models import CharField, F, IntegerField, Q, QuerySet, Value
from django.db.models.functions import Cast

from nodes.capitals import InCapitals, begins_so
from nodes.models import Adapter, Container, ContainerInterface, PhysicalServer, ServerGroup
from nodes.querysets import AnyUser
from nodes.trigram_tables import holders

Kind = Literal["group", "server", "container", "adapter", "interface"]

_ADDRESS = re.compile(r"[0-9a-fA-F]*[:.][0-9a-fA-F:./]*")
_MAC = re.compile(r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
_OWN = 8
"""Characters at the end of a MAC address that tell it from others of its maker."""


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
    """What the user may see and the text is found in, best first: at most `limit` hits.

    Each kind gets its share, so that fifty containers do not hide the one server. What has vanished is left
    out. One query; before it SQLite is asked for trigrams, and the user's roles are read once per request.
    """
    # PostgreSQL refuses NUL in any text, even in what is only compared.
    text = text.replace("\0", "").strip()[:100]
    if not text:
        return []
    share = max(3, limit // 3)
    # What an address ends with is its own; how it begins it has in common with many, which takes time.
    keys = holders(text[-_OWN:] if _ADDRESS.fullmatch(text) else text)
    arms = [
        _arm(kind, way, found[:share])
        for kind, rows in _kinds(user, text)
        for way, found in enumerate(_ways(kind, rows, text, keys.get(rows.model._meta.db_table)))
    ]
    wanted = text.lower()
    hits = _shares([(way, Hit(*row)) for way, *row in arms[0].union(*arms[1:], all=True)], wanted, share)
    hits.sort(key=lambda hit: (_rank(hit, wanted), _ORDER.index(hit.kind), hit.title.lower(), hit.pk))
    return hits[:limit]


_ORDER: tuple[Kind, ...] = ("group", "server", "container", "adapter", "interface")


def _rank(hit: Hit, wanted: str) -> int:
    """0: the very thing, 1: begins so, 2: has it somewhere."""
    words = [hit.title.lower(), *hit.detail.lower().split()]
    if any(wanted == word or wanted == word.partition("/")[0] for word in words):
        return 0
    return 1 if any(word.startswith(wanted) for word in words) else 2


def _shares(found: list[tuple[int, Hit]], wanted: str, share: int) -> list[Hit]:
    """The best of each kind, each once: a name that begins with the text has it anywhere, too."""
    found.sort(key=lambda one: (_rank(one[1], wanted), one[0], one[1].pk))
    kept: dict[Kind, dict[int, Hit]] = {kind: {} for kind in _ORDER}
    for _, hit in found:
        if len(kept[hit.kind]) < share:
            kept[hit.kind].setdefault(hit.pk, hit)
    return [hit for of_its_kind in kept.values() for hit in of_its_kind.values()]


def _kinds(user: AnyUser, text: str) -> Iterator[tuple[Kind, QuerySet[Any]]]:
    """What the user may see of each kind that can match at all: a MAC is no group's name."""
    if not _ADDRESS.fullmatch(text):
        yield "group", ServerGroup.objects.visible_to(user)
    yield "server", PhysicalServer.objects.visible_to(user)
    yield "container", Container.objects.visible_to(user).present()
    yield "adapter", Adapter.objects.visible_to(user).present()
    yield "interface", ContainerInterface.objects.visible_to(user).present()


_NAMES: dict[Kind, tuple[str, ...]] = {"container": ("ctid", "name"), "interface": ("host_ifname",)}
"""Columns of a kind that are asked for their beginning, each with an index; of the others the name."""

_ANYWHERE: dict[Kind, tuple[str, ...]] = {
    "group": ("name",),
    "server": ("name", "address", "hostname"),
    "container": ("name", "hostname", "host_routed_text"),
}
_ADDRESSES = ("mac", "addresses_text")


def _ways(kind: Kind, rows: QuerySet[Any], text: str, keys: list[int] | None) -> Iterator[QuerySet[Any]]:
    """Rows of a kind that have the text, found in several ways; the very thing is first in its own.

    `keys` are those of all rows that can have it, where these are known.
    """
    names = _NAMES.get(kind, ("name",))
    for name in names:
        yield rows.filter(begins_so(name, text)).order_by(InCapitals(name), "pk")
    anywhere = _ANYWHERE.get(kind, _ADDRESSES if _ADDRESS.fullmatch(text) else ())
    if keys is not None:
        rows = rows.filter(pk__in=keys)
    if anywhere and keys != []:
        begins = (Q(**{f"{name}__istartswith": text}) for name in names if name not in anywhere)
        has_it = (_has(kind, column, text) for column in anywhere)
        yield rows.filter(reduce(or_, (*begins, *has_it))).order_by("pk")


def _has(kind: Kind, column: str, text: str) -> Q:
    """Rows of a kind that have the text in that column."""
    # Most trigrams of a whole MAC address are its maker's: PostgreSQL would read all that have them. Those of
    # interfaces are indexed, and in small letters; those of adapters may have been entered by hand.
    if (kind, column) == ("interface", "mac") and _MAC.fullmatch(text):
        return Q(mac=text.lower())
    return Q(**{f"{column}__icontains": text})


def _arm(kind: Kind, way: int, found: QuerySet[Any]) -> QuerySet[Any]:
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
        hit_way=Value(way, output_field=IntegerField()),
        hit_kind=Value(kind, output_field=CharField()),
        hit_title=Cast(title, CharField()),
        hit_place=Cast(place, CharField()),
        hit_detail=Cast(detail, CharField()),
        hit_server=Cast(server, IntegerField()),
        hit_container=Cast(container, IntegerField()),
    ).values_list(
        "hit_way", "hit_kind", "pk", "hit_title", "hit_place", "hit_detail", "hit_server", "hit_container"
    )
