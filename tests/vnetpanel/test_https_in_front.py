"""HTTPS is spoken by a web server in front of the panel: what the panel says of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from vnetpanel.checks import https_is_spoken_in_front
from vnetpanel.launch import listen, url_of


def test_it_says_the_address_that_browsers_use(settings: Any) -> None:
    settings.HTTPS, settings.ALLOWED_HOSTS = True, ["panel.example.org"]
    with listen("127.0.0.1:0") as listener:
        assert url_of(listener).startswith("https://panel.example.org/ ")
        assert f"127.0.0.1:{listener.getsockname()[1]}" in url_of(listener)


def test_it_warns_where_the_one_in_front_would_not_be_believed(settings: Any) -> None:
    for https, behind, warnings in ((True, False, 1), (True, True, 0), (False, False, 0)):
        settings.HTTPS, settings.BEHIND_PROXY = https, behind
        assert len(https_is_spoken_in_front(None)) == warnings


@pytest.mark.django_db
def test_a_form_that_came_by_another_port_than_https_has_is_taken(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["panel.example.org"]
    host = "panel.example.org:8443"
    client = Client(enforce_csrf_checks=True, headers={"host": host, "origin": f"https://{host}"})
    page = client.get("/login/", secure=True)
    sent = {"csrfmiddlewaretoken": str(page.context["csrf_token"]), "username": "x", "password": "x"}
    assert client.post("/login/", sent, secure=True).status_code == 200
    foreign = {"origin": "https://elsewhere.example"}
    assert client.post("/login/", sent, secure=True, headers=foreign).status_code == 403
