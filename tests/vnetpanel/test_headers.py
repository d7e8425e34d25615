"""What the answers say to browsers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]


def policy(client: Client, address: str) -> dict[str, str]:
    header = client.get(address)["Content-Security-Policy"]
    return dict(part.strip().split(" ", 1) for part in header.split(";"))


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/login/", "/", "/no/such/page/", "/admin/"])
def test_the_policy_allows_only_our_own_files(client: Client, address: str) -> None:
    found = policy(client, address)
    assert found["default-src"] == "'none'"
    assert found["script-src"] == "'self'"
    assert found["style-src"] == "'self'"
    assert found["img-src"] == "'self' data:"
    assert found["frame-ancestors"] == "'none'"


@pytest.mark.django_db
def test_no_page_carries_what_the_policy_forbids(client: Client, admin: Any) -> None:
    client.force_login(admin)
    for address in ("/", "/health/", "/no/such/page/"):
        page = client.get(address).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=", page), address
        assert not re.search(r"(src|href)=\"(https?:)?//", page), address


@pytest.mark.parametrize("path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_no_template_carries_what_the_policy_forbids(path: Path) -> None:
    # What stands in template tags (`with one=…`) is no attribute.
    text = re.sub(r"{%.*?%}", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert "|safe" not in text


@pytest.mark.django_db
def test_htmx_may_not_evaluate_text_and_carries_the_token(client: Client, admin: Any) -> None:
    client.force_login(admin)
    page = client.get("/").content.decode()
    assert '"allowEval":false' in page
    assert re.search(r'<body [^>]*hx-headers=\'\{"x-csrftoken": "\w{64}"\}\'', page)


@pytest.mark.django_db
def test_cookies_are_out_of_reach_of_scripts(client: Client, alice: Any) -> None:
    client.get("/login/")
    client.post("/login/", {"username": "alice", "password": "correct-horse-battery"})
    for name in ("vnetpanel_session", "vnetpanel_csrf"):
        assert client.cookies[name]["httponly"]
        assert client.cookies[name]["samesite"] == "Lax"


@pytest.mark.django_db
def test_every_answer_names_its_request(client: Client) -> None:
    assert re.fullmatch("[0-9a-f]{12}", client.get("/login/")["X-Request-Id"])
