"""Every address asks for a login, except those that are listed here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import get_converters

OPEN = {"login/", "login/code/", "logout/", "healthz"}
#: A text that each converter accepts.
EXAMPLES = {
    "str": "x",
    "int": "1",
    "slug": "x",
    "path": "x/y",
    "uuid": "5f9a8f0e-3c44-4d7e-9c53-7f0d5a3c7a11",
}


def addresses(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """All routes below a resolver, with example values put in."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern, route)
        else:
            yield example(route, pattern)


def example(route: str, pattern: URLPattern) -> str:
    for name, converter in pattern.pattern.converters.items():
        kind = next(kind for kind, known in get_converters().items() if known is converter)
        for written in (f"<{kind}:{name}>", f"<{name}>"):
            route = route.replace(written, EXAMPLES[kind])
    # What the admin writes as regular expressions.
    return route.replace("(?P<app_label>", "").replace("^", "").replace("$", "").replace("\\Z", "")


ALL = sorted(set(addresses(get_resolver())))


def test_there_are_addresses_to_look_at() -> None:
    assert {"", "login/", "healthz", "health/"} <= set(ALL)


@pytest.mark.django_db
@pytest.mark.parametrize("address", [one for one in ALL if one not in OPEN], ids=lambda one: f"/{one}")
@pytest.mark.parametrize("method", ["get", "post"])
def test_it_sends_a_stranger_to_the_login(client: Client, address: str, method: str) -> None:
    response: Any = getattr(client, method)(f"/{address}")
    # The admin's own catch-all is a regular expression, which no example can be made for: it answers 404.
    assert response.status_code in {302, 404}
    if response.status_code == 302:
        assert response["Location"].startswith(("/login/?next=", "/admin/login/?next="))
    else:
        assert address.startswith("admin/")


@pytest.mark.django_db
def test_an_unknown_address_says_not_found(client: Client) -> None:
    response = client.get("/no/such/page/")
    assert response.status_code == 404
    assert "nothing that you may see" in response.content.decode()


@pytest.mark.django_db
def test_htmx_is_taken_to_the_login_as_a_whole_page(client: Client) -> None:
    response = client.get(
        "/health/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/?tab=x"}
    )
    assert response["HX-Redirect"] == "/login/?next=%2F%3Ftab%3Dx"


@pytest.mark.django_db
def test_a_foreign_page_is_no_place_to_come_back_to(client: Client) -> None:
    response = client.get(
        "/health/", headers={"HX-Request": "true", "HX-Current-URL": "https://evil.example/x"}
    )
    assert response["HX-Redirect"] == "/login/?next=%2F"
