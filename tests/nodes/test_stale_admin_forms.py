"""Forms of the administration that were open while others decided: they store what was touched in them."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from nodes.models import Adapter, Credential, PhysicalServer, ServerGroup

pytestmark = pytest.mark.django_db

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?')


def as_shown(office: Client, address: str) -> dict[str, Any]:
    """What a browser sends when nothing was touched."""
    page = office.get(address)
    shown: dict[str, Any] = {name: html.unescape(value) for name, value in HIDDEN.findall(page.text)}
    for bound in page.context["adminform"].form:
        value, widget = bound.value(), bound.field.widget
        if hasattr(widget, "decompress"):
            parts = widget.decompress(value)
            shown |= {f"{bound.name}_{n}": str(part or "") for n, part in enumerate(parts)}
        elif not bound.field.disabled and value is not False:
            shown[bound.name] = "" if value is None else value
    return shown


def sent(office: Client, address: str, form: dict[str, Any]) -> None:
    answer = office.post(address, form)
    assert answer.status_code == 302, answer.context["errors"]


def test_a_server_keeps_what_others_decided_meanwhile(
    office: Client, server: PhysicalServer, credential: Credential
) -> None:
    address = reverse("admin:nodes_physicalserver_change", args=[server.pk])
    form = as_shown(office, address)
    elsewhere = ServerGroup.objects.create(name="Elsewhere")
    decided = {"is_enabled": False, "group": elsewhere, "address": "192.0.2.99", "credential": None}
    PhysicalServer.objects.filter(pk=server.pk).update(**decided)
    sent(office, address, form | {"description": "only this was typed"})
    server.refresh_from_db()
    assert {name: getattr(server, name) for name in decided} == decided
    assert server.description == "only this was typed"


def test_a_user_stays_deactivated_and_in_her_groups(office: Client, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("mallory", password="correct-horse", is_staff=True)
    password = user.password
    address = reverse("admin:auth_user_change", args=[user.pk])
    form = as_shown(office, address)
    assert password not in form.values() and "initial-password" not in form
    User.objects.filter(pk=user.pk).update(is_active=False, is_staff=False)
    auditors = Group.objects.create(name="auditors")
    user.groups.add(auditors)
    sent(office, address, form | {"email": "m@example.org"})
    user.refresh_from_db()
    assert (user.email, user.is_active, user.is_staff) == ("m@example.org", False, False)
    assert user.password == password and list(user.groups.all()) == [auditors]
    sent(office, address, {**as_shown(office, address), "is_active": "on", "groups": []})
    user.refresh_from_db()
    assert user.is_active and not user.groups.exists()


def test_an_entered_adapter_keeps_what_others_decided_meanwhile(
    office: Client, windows: PhysicalServer
) -> None:
    adapter = Adapter.objects.create(server=windows, name="Ethernet 1", origin="entered")
    address = reverse("admin:nodes_adapter_change", args=[adapter.pk])
    form = as_shown(office, address)
    Adapter.objects.filter(pk=adapter.pk).update(mac="02:00:00:00:00:01", is_up=True)
    sent(office, address, form | {"name": "Ethernet 2"})
    adapter.refresh_from_db()
    assert (adapter.name, adapter.mac, adapter.is_up) == ("Ethernet 2", "02:00:00:00:00:01", True)


def test_storing_leaves_to_looks_what_looks_write(
    office: Client, server: PhysicalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = reverse("admin:nodes_physicalserver_change", args=[server.pk])
    form = as_shown(office, address)
    stored: list[Any] = []
    save = PhysicalServer.save
    monkeypatch.setattr(
        PhysicalServer, "save", lambda self, **kwargs: (stored.append(kwargs), save(self, **kwargs))
    )
    sent(office, address, form | {"description": "typed"})
    assert stored == [{"update_fields": ["description"]}]
