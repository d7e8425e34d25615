"""Who is asked for a login or her password when she sends a form comes back to its page, not to a 405."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from tests.networks.conftest import Scene
from tests.pages.conftest import logged_in
from tests.pages.test_matrix import Things, own
from tests.pages.walk import routes
from tests.trust.conftest import PASSWORD, clock, code_now, in_with_code
from tests.vnetpanel.test_login_required import addresses
from trust import two_factor

__all__ = ["clock", "own"]

pytestmark = pytest.mark.django_db
HOST = "http://testserver"
PROOF_S, IDLE_S = 10 * 60 + 1, 30 * 60 + 1


def next_of(answer: Any) -> str:
    """Where a door leads to afterwards."""
    return parse_qs(urlsplit(answer["Location"]).query).get("next", ["/"])[0]


def taking_no_get(client: Client, own: Things) -> list[str]:
    """Addresses of the panel and of its administration that answer a GET with 405."""
    known = {route.address(own) for route in routes()} | {f"/{one}" for one in addresses(get_resolver())}
    return sorted(one for one in known if one is not None and client.get(one).status_code == 405)


def test_after_a_login_nobody_lands_where_nothing_is_to_be_read(own: Things, admin: Any) -> None:
    client = logged_in(admin)
    found = taking_no_get(client, own)
    assert {"/draft/review/", "/account/recovery-codes/", "/admin/logout/"} <= set(found)
    for address in found:
        for headers in ({}, {"Referer": f"{HOST}/account/"}):
            back = next_of(Client().post(address, headers=headers))
            assert client.get(back).status_code == 200, f"{address} leads back to {back}"


def test_after_proving_nobody_lands_where_nothing_is_to_be_read(
    own: Things, admin: Any, settings: Any
) -> None:
    client, doors = logged_in(admin), []
    settings.PROOF_MINUTES = -1
    for address in set(taking_no_get(client, own)) - {"/logout/", "/admin/logout/"}:
        answer = client.post(address)
        if answer.status_code == 302 and answer["Location"].startswith("/prove/"):
            doors.append(address)
            back = next_of(answer)
            # Addresses of the resolver are about number 1 of everything, which need not be there.
            assert client.get(back).status_code in (200, 404), f"{address} leads back to {back}"
    assert len(doors) >= 3


def test_an_ended_session_comes_back_to_the_page_of_the_form(scene: Scene, admin: Any, clock: Any) -> None:
    client = logged_in(admin)
    client.get("/draft/")
    clock.shift(IDLE_S)
    door = client.post("/draft/review/", headers={"Referer": f"{HOST}/draft/?x=1"})
    login = client.get(door["Location"])
    assert "Nothing was stored. Log in, then do it once more." in login.text
    body = {"username": "admin", "password": PASSWORD, "next": next_of(door)}
    answer = client.post("/login/", body, follow=True)
    assert answer.redirect_chain == [("/draft/?x=1", 302)]
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "page", ["https://evil.example/x", f"{HOST}//evil.example/", "//evil.example/", "javascript:alert(1)", ""]
)
def test_a_foreign_page_is_no_way_back(page: str, admin: Any, client: Client) -> None:
    door = client.post("/draft/review/", headers={"Referer": page})
    body = {"username": "admin", "password": PASSWORD, "next": next_of(door)}
    assert client.post("/login/", body)["Location"] == "/"


def test_the_account_is_where_its_buttons_are_pressed_again(admin: Any, clock: Any) -> None:
    two_factor.confirm(admin, secret := two_factor.new_secret(), code_now(secret))
    client = in_with_code(Client(), admin)
    clock.shift(PROOF_S)
    for name in ("recovery_codes", "two_factor_off"):
        door = client.post(reverse(name))
        assert "Nothing was stored. Confirm that it is you" in client.get(door["Location"]).text
    answer = client.post("/prove/", {"password": PASSWORD, "next": next_of(door)}, follow=True)
    assert answer.redirect_chain == [("/account/", 302)]
    assert reverse("two_factor_off") in answer.text


def test_the_password_for_the_key_is_given_again_at_the_preflight(
    scene: Scene, admin: Any, clock: Any
) -> None:
    client, pk = logged_in(admin), scene.server1.pk
    clock.shift(PROOF_S)
    door = client.post(reverse("nodes:install_key", args=[pk]), {"password": "x"})
    assert next_of(door) == reverse("nodes:preflight", args=[pk])
