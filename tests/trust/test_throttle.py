"""Guessing passwords is slowed down, without letting a stranger lock a user out."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from tests.trust.conftest import PASSWORD
from trust import throttle
from trust.audit import address_of
from trust.models import Entry, FailedLogin

pytestmark = pytest.mark.django_db
HERE, THERE = "192.0.2.1", "198.51.100.7"


def attempt(client: Client, password: str, address: str = HERE, name: str = "alice") -> Any:
    return client.post("/login/", {"username": name, "password": password}, REMOTE_ADDR=address)


def test_five_failures_close_the_door_even_for_the_right_password(client: Client, alice: Any) -> None:
    for _ in range(5):
        assert "correct username and password" in attempt(client, "wrong").text
    assert "Wait 15 minutes" in attempt(client, PASSWORD).text
    assert Entry.objects.filter(text__contains="Further attempts are refused").count() == 1


def test_the_user_herself_comes_in_from_elsewhere(client: Client, alice: Any) -> None:
    for _ in range(6):
        attempt(client, "wrong")
    assert attempt(client, PASSWORD, THERE).status_code == 302


def test_it_opens_again_after_fifteen_minutes(client: Client, alice: Any, clock: Any) -> None:
    for _ in range(6):
        attempt(client, "wrong")
    clock.shift(15 * 60 + 1)
    assert attempt(client, PASSWORD).status_code == 302


def test_a_hundred_guesses_of_one_address_for_many_names_are_stopped(client: Client) -> None:
    answers = [attempt(client, "wrong", name=f"user{number}").text for number in range(52)]
    assert "Wait 15 minutes" not in answers[48]
    assert "Wait 15 minutes" in answers[51]


def test_many_addresses_guessing_one_name_are_stopped(client: Client, alice: Any) -> None:
    for number in range(50):
        attempt(client, "wrong", f"203.0.113.{number}")
    assert "Wait 15 minutes" in attempt(client, "wrong", THERE).text


def test_refused_attempts_write_nothing(client: Client, alice: Any) -> None:
    for _ in range(5):
        attempt(client, "wrong")
    before = FailedLogin.objects.count(), Entry.objects.count()
    for _ in range(10):
        attempt(client, "wrong")
    assert (FailedLogin.objects.count(), Entry.objects.count()) == before


def test_a_login_forgets_the_mistakes_on_the_way(client: Client, alice: Any) -> None:
    for _ in range(3):
        for _ in range(4):
            attempt(client, "wrong")
        assert attempt(client, PASSWORD).status_code == 302
        client.post("/logout/")


def test_what_is_counted_names_nobody() -> None:
    throttle.failed(throttle.of_login("alice", HERE))
    assert not FailedLogin.objects.filter(key__contains="alice").exists()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("2001:db8::5", "2001:db8::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_machine_has_a_whole_network(address: str, network: str) -> None:
    assert throttle.network_of(address) == network


def test_browsers_whose_addresses_arrive_mapped_do_not_lock_each_other_out(
    client: Client, alice: Any
) -> None:
    for number in range(51):
        attempt(client, "wrong", f"::ffff:{HERE}", name=f"user{number}")
    assert "Wait 15 minutes" in attempt(client, PASSWORD, f"::ffff:{HERE}").text
    assert attempt(client, PASSWORD, f"::ffff:{THERE}").status_code == 302


def test_an_address_is_the_same_one_however_it_arrives(rf: Any, client: Client, settings: Any) -> None:
    for mapped in (f"::ffff:{HERE}", "::FFFF:c000:201"):
        assert throttle.network_of(mapped) == HERE
        assert address_of(rf.get("/", REMOTE_ADDR=mapped)) == HERE
        settings.BEHIND_PROXY = True
        assert address_of(rf.get("/", headers={"X-Forwarded-For": f"10.0.0.1, {mapped}"})) == HERE
        settings.BEHIND_PROXY = False
    attempt(client, "wrong", f"::ffff:{HERE}")
    assert Entry.objects.get().address == HERE
    call_command("verify_audit")


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "2001:db8::5", "2001:DB8::5", "unix:", "", "::ffff:300.1.1.1"]
)
def test_an_address_that_is_not_mapped_is_written_as_it_arrives(rf: Any, address: str) -> None:
    assert address_of(rf.get("/", REMOTE_ADDR=address)) == address


def test_only_a_proxy_that_is_said_to_be_there_is_believed(rf: Any, settings: Any) -> None:
    request = rf.get("/", headers={"X-Forwarded-For": "10.0.0.1, 198.51.100.7"}, REMOTE_ADDR=HERE)
    assert address_of(request) == HERE
    settings.BEHIND_PROXY = True
    assert address_of(request) == "198.51.100.7"
