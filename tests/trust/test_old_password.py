"""The old password, asked for before a new one: guesses are counted and recorded as everywhere else."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.trust.conftest import PASSWORD, clock
from trust.models import Entry, FailedLogin

__all__ = ["clock"]

pytestmark = pytest.mark.django_db
NEW = "a-quite-different-phrase"


@pytest.fixture
def as_admin(client: Client, admin: Any) -> Client:
    client.force_login(admin)
    return client


def change(client: Client, old: str, new: str = NEW) -> Any:
    return client.post(
        "/account/password/", {"old_password": old, "new_password1": new, "new_password2": NEW}
    )


def test_five_wrong_ones_close_the_door_even_for_the_right_one(as_admin: Client, admin: Any) -> None:
    for _ in range(5):
        assert "is not your password" in change(as_admin, "wrong").text
    assert "Too many failed attempts" in change(as_admin, PASSWORD).text
    admin.refresh_from_db()
    assert admin.check_password(PASSWORD)


def test_it_opens_again_after_fifteen_minutes(as_admin: Client, clock: Any) -> None:
    for _ in range(5):
        change(as_admin, "wrong")
    clock.shift(15 * 60 + 1)
    assert change(as_admin, PASSWORD)["Location"] == "/account/"


def test_guesses_here_and_where_it_is_asked_for_again_count_together(as_admin: Client) -> None:
    for _ in range(3):
        change(as_admin, "wrong")
    for _ in range(2):
        as_admin.post("/prove/", {"password": "wrong"})
    assert "Too many" in change(as_admin, PASSWORD).text
    assert "Too many" in as_admin.post("/prove/", {"password": PASSWORD}).text


def test_the_right_one_forgets_the_mistakes_before_it(as_admin: Client) -> None:
    for _ in range(4):
        change(as_admin, "wrong")
    assert change(as_admin, PASSWORD)["Location"] == "/account/"
    assert not FailedLogin.objects.exists()


@pytest.mark.parametrize("ask", [change, lambda client, old: client.post("/prove/", {"password": old})])
def test_each_wrong_one_is_recorded_and_what_is_refused_writes_nothing(
    ask: Any, as_admin: Client, admin: Any
) -> None:
    lines = Entry.objects.filter(action="proof.failed", actor_key=admin.pk)
    for number in range(1, 6):
        ask(as_admin, "wrong")
        assert lines.count() == number
    assert lines.filter(text__contains="Further attempts are refused for 15 minutes").count() == 1
    before = FailedLogin.objects.count(), Entry.objects.count()
    for _ in range(3):
        ask(as_admin, "wrong")
    assert (FailedLogin.objects.count(), Entry.objects.count()) == before
    assert "did not give the right password" in as_admin.get("/account/").text


def test_a_new_password_that_is_refused_is_no_failure(as_admin: Client) -> None:
    assert "match" in change(as_admin, PASSWORD, "something-else-again").text
    assert not FailedLogin.objects.exists()
    assert not Entry.objects.filter(action="proof.failed").exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_administration_has_no_door_of_its_own(method: str, as_admin: Client) -> None:
    body = {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW}
    answer = getattr(as_admin, method)("/admin/password_change/", body)
    assert (answer.status_code, answer["Location"]) == (302, "/account/password/")
    assert 'href="/admin/password_change/"' in as_admin.get("/admin/").text
