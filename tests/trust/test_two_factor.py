"""The second factor: set up, asked for at the login, replaced by recovery codes, required by a setting."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.conftest import PASSWORD, code_now, code_of, in_with_code
from trust import two_factor
from trust.models import Entry, RecoveryCode, TwoFactor

# RFC 6238, appendix B: the secret "12345678901234567890", SHA-1; the last six of its eight digits.
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
VECTORS = [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
           (2000000000, "279037"), (20000000000, "353130")]  # fmt: skip


@pytest.mark.parametrize(("now", "code"), VECTORS)
def test_codes_are_those_of_the_standard(now: int, code: str) -> None:
    assert two_factor.matching_step(SECRET, code, now) == now // 30


@pytest.mark.parametrize(("late", "fits"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_clocks_may_differ_by_one_step(late: int, fits: bool) -> None:
    assert (two_factor.matching_step(SECRET, "005924", 1234567890 + late) is not None) == fits


@given(st.text(max_size=12))
def test_no_other_text_is_a_code(text: str) -> None:
    near = {two_factor._totp(SECRET).generate(1234567890 + step * 30).decode() for step in (-1, 0, 1)}
    assert "".join(text.split()) in near or two_factor.matching_step(SECRET, text, 1234567890) is None


@pytest.fixture
def codes(alice: Any) -> list[str]:
    """alice with a second factor; her recovery codes. The step of now is used up."""
    codes = two_factor.confirm(alice, SECRET, code_now(SECRET, -1))
    assert codes
    return codes


def shown_secret(page: str) -> str:
    """The secret as the set-up page shows it."""
    found = re.search(r'class="fingerprint">([A-Z2-7 ]+)<', page)
    assert found
    return found[1].replace(" ", "")


def password_given(client: Client) -> Any:
    return client.post("/login/", {"username": "alice", "password": PASSWORD, "next": "/health/"})


@pytest.mark.django_db
def test_it_is_set_up_from_the_account_page(client: Client, alice: Any) -> None:
    client.force_login(alice)
    page = client.get("/account/two-factor/").text
    assert not TwoFactor.objects.exists()
    secret = shown_secret(page)
    assert secret not in str(dict(client.session)) and '<path class="qr-ink" d="M' in page
    assert "not the app" in client.post("/account/two-factor/", {"code": "000000"}).text
    assert not two_factor.is_on(alice)
    done = client.post("/account/two-factor/", {"code": code_now(secret)}).text
    assert two_factor.is_on(alice)
    assert len(re.findall(r"\b[a-z2-9]{5}-[a-z2-9]{5}-[a-z2-9]{5}\b", done)) == 10
    assert TwoFactor.objects.get(user=alice).secret == secret
    assert secret[:4] not in client.get("/account/").text
    assert client.get("/account/two-factor/")["Location"] == "/account/"


@pytest.mark.django_db
def test_the_password_alone_lets_nobody_in(client: Client, alice: Any, codes: list[str]) -> None:
    assert password_given(client)["Location"] == "/login/code/"
    assert client.get("/health/").status_code == 302
    assert "not right" in client.post("/login/code/", {"code": "123 456"}).text
    assert client.get("/health/").status_code == 302
    assert client.post("/login/code/", {"code": code_of(alice)})["Location"] == "/health/"
    assert client.get("/account/").status_code == 200


@pytest.mark.django_db
def test_the_code_page_is_nothing_without_a_password(client: Client, alice: Any, codes: list[str]) -> None:
    assert client.get("/login/code/")["Location"] == "/login/"
    assert client.post("/login/code/", {"code": code_of(alice)})["Location"] == "/login/"


@pytest.mark.django_db
def test_a_password_waits_five_minutes_for_its_code(
    client: Client, alice: Any, codes: list[str], clock: Any
) -> None:
    password_given(client)
    clock.shift(301)
    assert client.post("/login/code/", {"code": code_of(alice)})["Location"] == "/login/"


@pytest.mark.django_db
def test_a_code_works_once(alice: Any, codes: list[str]) -> None:
    code = code_of(alice)
    assert two_factor.check(alice, code)
    assert not two_factor.check(alice, code)


@pytest.mark.django_db
def test_a_recovery_code_works_once_however_it_is_typed(client: Client, alice: Any, codes: list[str]) -> None:
    password_given(client)
    typed = f" {codes[0].upper().replace('-', ' ')} "
    assert client.post("/login/code/", {"code": typed})["Location"] == "/health/"
    assert not two_factor.check(alice, codes[0])
    assert Entry.objects.filter(action="recovery_code.used", text__contains="9 are left").exists()


@pytest.mark.django_db
def test_new_recovery_codes_end_the_old_ones(client: Client, alice: Any, codes: list[str]) -> None:
    page = in_with_code(client, alice).post("/account/recovery-codes/").text
    assert codes[0] not in page
    assert not two_factor.check(alice, codes[0])
    assert RecoveryCode.objects.count() == 10


@pytest.mark.django_db
def test_five_wrong_codes_close_the_door(client: Client, alice: Any, codes: list[str]) -> None:
    password_given(client)
    for _ in range(5):
        client.post("/login/code/", {"code": "000000"})
    assert "Too many" in client.post("/login/code/", {"code": codes[0]}).text


@pytest.mark.django_db
def test_the_secret_is_encrypted_and_the_recovery_codes_are_digests(alice: Any, codes: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM trust_twofactor")
        assert cursor.fetchone()[0].startswith("gAAAA")
        cursor.execute("SELECT digest FROM trust_recoverycode")
        assert not {code.replace("-", "") for code in codes} & {row[0] for row in cursor.fetchall()}


@pytest.mark.django_db
def test_it_is_switched_off_by_a_post(client: Client, alice: Any, codes: list[str]) -> None:
    in_with_code(client, alice)
    assert client.get("/account/two-factor/off/").status_code == 405
    client.post("/account/two-factor/off/")
    assert not two_factor.is_on(alice)
    assert Entry.objects.filter(action="second_factor.removed").exists()


@pytest.mark.django_db
def test_switching_it_on_ends_sessions_that_gave_no_code(client: Client, alice: Any) -> None:
    other = Client()
    for each in (client, other):
        each.force_login(alice)
        assert each.get("/").status_code == 200
    secret = shown_secret(client.get("/account/two-factor/").text)
    client.post("/account/two-factor/", {"code": code_now(secret)})
    assert client.get("/").status_code == 200
    assert other.get("/networks/")["Location"] == "/login/?next=/networks/"
    assert "second factor" in other.get("/login/").text


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["/account/two-factor/off/", "/account/recovery-codes/", "/account/two-factor/", "/prove/"]
)
def test_the_password_in_an_old_session_does_nothing_to_it(
    client: Client, alice: Any, codes: list[str], address: str
) -> None:
    client.force_login(alice)
    assert client.post(address, {"password": PASSWORD})["Location"].startswith("/login/")
    assert client.get("/account/")["Location"].startswith("/login/")
    assert two_factor.is_on(alice) and two_factor.check(alice, codes[0])


@pytest.mark.django_db
def test_whether_a_user_has_one_comes_with_the_user_and_without_its_secret(
    client: Client, alice: Any, codes: list[str]
) -> None:
    in_with_code(client, alice).get("/health/")
    with CaptureQueriesContext(connection) as captured:
        assert client.get("/health/").status_code == 200
    about = [query["sql"] for query in captured if "trust_twofactor" in query["sql"]]
    assert len(about) == 1 and "auth_user" in about[0] and '"secret"' not in about[0]


@pytest.mark.django_db
def test_an_administrator_takes_one_away(client: Client, admin: Any, alice: Any, codes: list[str]) -> None:
    client.force_login(admin)
    row = TwoFactor.objects.get(user=alice)
    assert row.secret not in client.get(f"/admin/trust/twofactor/{row.pk}/change/").text
    client.post(f"/admin/trust/twofactor/{row.pk}/delete/", {"post": "yes"})
    assert not two_factor.is_on(alice)


@pytest.mark.django_db
class TestRequired:
    """VNETPANEL_TWO_FACTOR=required."""

    @pytest.fixture(autouse=True)
    def required(self, settings: Any) -> None:
        settings.TWO_FACTOR = "required"

    def test_nothing_opens_before_it_is_set_up(self, client: Client, alice: Any) -> None:
        client.force_login(alice)
        for address in ("/", "/health/", "/account/", "/networks/", "/audit/"):
            assert client.get(address)["Location"] == "/account/two-factor/"
        assert client.post("/draft/review/")["Location"] == "/account/two-factor/"
        answer = client.get("/tree/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/"})
        assert answer["HX-Redirect"].startswith("/account/two-factor/")
        secret = shown_secret(client.get("/account/two-factor/").text)
        client.post("/account/two-factor/", {"code": code_now(secret)})
        assert client.get("/").status_code == 200

    def test_it_stays_on(self, client: Client, alice: Any, codes: list[str]) -> None:
        password_given(client)
        client.post("/login/code/", {"code": codes[0]})
        assert client.post("/account/two-factor/off/").status_code == 403
        assert two_factor.is_on(alice)

    def test_a_session_from_before_comes_in_again(self, client: Client, alice: Any, codes: list[str]) -> None:
        client.force_login(alice)
        assert client.get("/")["Location"] == "/login/?next=/"
        assert client.get("/login/").status_code == 200

    def test_one_that_was_taken_away_is_set_up_again_at_once(
        self, client: Client, alice: Any, codes: list[str]
    ) -> None:
        in_with_code(client, alice)
        assert client.get("/").status_code == 200
        TwoFactor.objects.all().delete()
        assert client.get("/")["Location"] == "/account/two-factor/"

    def test_logging_out_stays_possible(self, client: Client, alice: Any) -> None:
        client.force_login(alice)
        assert client.post("/logout/")["Location"] == "/login/"


def test_after_the_code_one_comes_to_any_address_that_was_asked_for(
    client: Client, alice: Any, codes: list[str]
) -> None:
    client.post("/login/?next=x", {"username": "alice", "password": PASSWORD, "next": "x"})
    assert client.post("/login/code/", {"code": codes[0]})["Location"] == "x"
