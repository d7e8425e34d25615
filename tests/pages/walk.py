"""All routes of the panel's own pages, with things of the scene put into their addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver, reverse

#: Addresses that are no page of the panel's own.
ELSEWHERE = ("admin/", "static/")
#: Rows that say who is there, and not what is: a request may always write them.
NOT_STATE = {"sessions.session", "trust.entry", "trust.failedlogin"}


@dataclass(frozen=True)
class Route:
    """A named route and the names of what its address needs."""

    name: str
    arguments: tuple[str, ...]

    def address(self, things: Mapping[str, Any]) -> str | None:
        """The route's address with these things; None if it needs one that is not there."""
        if set(self.arguments) - set(things):
            return None
        return reverse(self.name, kwargs={name: things[name] for name in self.arguments})

    def __str__(self) -> str:
        return self.name


def routes() -> list[Route]:
    """Every named route but the administration's, by its full name."""
    return sorted(set(_routes(get_resolver())), key=lambda route: (route.name, route.arguments))


def _routes(resolver: URLResolver, prefix: str = "", space: str = "") -> Iterator[Route]:
    for pattern in resolver.url_patterns:
        written = prefix + str(pattern.pattern)
        if written.startswith(ELSEWHERE):
            continue
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _routes(pattern, written, inner)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield Route(f"{space}{pattern.name}", tuple(pattern.pattern.converters))


def state() -> str:
    """A digest of everything that is stored, but for what `NOT_STATE` names."""
    seen = hashlib.sha256()
    for model in apps.get_models(include_auto_created=True):
        if model._meta.label_lower in NOT_STATE or model._meta.proxy:
            continue
        names = [field.attname for field in model._meta.concrete_fields if field.name != "last_login"]
        for row in model._base_manager.order_by("pk").values_list(*names):
            seen.update(repr((model._meta.label_lower, row)).encode())
    return seen.hexdigest()
