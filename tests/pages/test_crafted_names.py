"""Crafted names in every form: stored as they are or refused at their field, never half, never a crash."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from networks.services import drafts
from nodes.models import PhysicalServer, ServerGroup
from tests.networks.conftest import Scene

CRAFTED = [
    "a;reboot",
    "$(id)",
    "`id`",
    "a" * 16,
    "..",
    "../../etc/passwd",
    "nul\0byte",
    "😀",
    "<script>alert(1)</script>",
    "line\nbreak",
    "-rf",
    "%s%n",
    "' OR 1=1 --",
    "{{ 7 * 7 }}",
    "x" * 5000,
]


def fault(text: str) -> str:
    return f"{text[:20]!r}"


@pytest.mark.parametrize("evil", CRAFTED, ids=fault)
def test_as_the_name_of_a_virtual_network(
    scene: Scene, operator: Any, as_operator: Client, evil: str
) -> None:
    response = as_operator.post(reverse("networks:create"), {"name": evil, "description": evil[:400]})
    assert response.status_code in (200, 302)
    names = [network.name for network in drafts.drafted(operator).networks]
    if response.status_code == 200:
        assert names == [] and "invalid-feedback" in response.text
    else:
        (name,) = names
        assert name == " ".join(evil.split()) and "\0" not in name
    for page in ("networks:list", "networks:draft"):
        text = as_operator.get(reverse(page)).text
        assert "<script>alert" not in text and "{{" not in text.replace("{{ 7 * 7 }}", "")


@pytest.mark.parametrize("evil", CRAFTED, ids=fault)
def test_as_address_name_and_user_of_a_server(scene: Scene, as_admin: Client, evil: str) -> None:
    before = PhysicalServer.objects.count()
    body = {"name": "new1", "group": scene.group.pk, "os": "linux", "address": "192.0.2.7", "port": 22,
            "login": "new_key", "username": "root"}  # fmt: skip
    assert as_admin.post(reverse("nodes:add_server"), body | {"address": evil}).status_code == 200 or (
        PhysicalServer.objects.get(name="new1").address == evil == "a" * 16
    )
    PhysicalServer.objects.filter(name="new1").delete()
    for field in ("name", "username", "description"):
        response = as_admin.post(reverse("nodes:add_server"), body | {field: evil})
        assert response.status_code in (200, 302), field
        if response.status_code == 302:
            PhysicalServer.objects.order_by("-pk")[0].delete()
    assert PhysicalServer.objects.count() == before


@pytest.mark.parametrize("port", ["0", "65536", "-1", "22; reboot", "0x16", "٢٢", "1e3", ""])
def test_as_the_port(scene: Scene, as_admin: Client, port: str) -> None:
    body = {"name": "new1", "group": scene.group.pk, "os": "linux", "address": "192.0.2.7", "port": port,
            "login": "new_key", "username": "root"}  # fmt: skip
    response = as_admin.post(reverse("nodes:add_server"), body)
    stored = PhysicalServer.objects.filter(name="new1").first()
    assert (response.status_code == 200 and stored is None) or (stored and stored.port == int(port))


@pytest.mark.parametrize("evil", CRAFTED, ids=fault)
def test_as_the_name_of_a_group_and_in_every_filter(scene: Scene, as_admin: Client, evil: str) -> None:
    response = as_admin.post(reverse("nodes:create_group"), {"name": evil, "description": evil})
    assert response.status_code in (200, 302)
    assert ServerGroup.objects.count() == 1 + (response.status_code == 302)
    for name in ("nodes:servers", "nodes:search", "nodes:tree", "networks:list", "audit"):
        response = as_admin.get(reverse(name), {"q": evil, "sort": evil, "page": evil, "actor": evil})
        assert response.status_code == 200, name
        assert "<script>alert" not in response.text


UNSEEN = [
    "Production\u200b", "Produc\xadtion", "\u202eProduction", "a\x1b[31mb", "\u200b", "\u2060", "\u3164",
    "\uffa0 \u1160", "\ue000", "a\u2028b",
]  # fmt: skip


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_names_that_cannot_be_seen_as_they_are_are_refused(
    scene: Scene, admin: Any, as_admin: Client, unseen: str
) -> None:
    server = {"name": unseen, "group": scene.group.pk, "os": "linux", "address": "192.0.2.7", "port": 22,
              "login": "new_key", "username": "root"}  # fmt: skip
    for page, body in (
        ("networks:create", {"name": unseen}),
        ("nodes:create_group", {"name": unseen}),
        ("nodes:add_server", server),
    ):
        answer = as_admin.post(reverse(page), body)
        assert answer.status_code == 200 and "invalid-feedback" in answer.text, page
    assert not list(drafts.drafted(admin).networks)
    assert ServerGroup.objects.count() == 1 and not PhysicalServer.objects.filter(name=unseen).exists()


def test_the_character_that_cannot_be_seen_is_named(as_admin: Client) -> None:
    answer = as_admin.post(reverse("networks:create"), {"name": "Production\u200b"})
    assert "cannot be seen: U+200B ZERO WIDTH SPACE, after “Production”" in answer.text


@pytest.mark.parametrize(
    "name", ["Продакшн", "生产 网络", "नेटवर्क", "a\u00a0b", "Büro 😀", "e\u0301"], ids=ascii
)
def test_names_in_any_script_are_taken(as_admin: Client, name: str) -> None:
    assert as_admin.post(reverse("nodes:create_group"), {"name": name}).status_code == 302
