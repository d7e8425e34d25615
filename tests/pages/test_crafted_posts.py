"""Crafted words in every field of every form, the administration's too: a clear error, nothing half-kept."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin import site
from django.db import transaction
from django.test import Client
from django.urls import reverse

from networks.domain.state import AddMember, Assign, CreateNetwork
from nodes.choices import HostKeyState
from nodes.models import Adapter, Container, Credential, HostKey, PhysicalSegment
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene
from tests.pages.conftest import logged_in
from tests.pages.forms import Form, posting_forms
from tests.pages.walk import routes, state

pytestmark = pytest.mark.django_db
CRAFTED = (
    "a;reboot", "$(id)", "a" * 16, "..", "nul\0byte", "\u202eltr", "\U0001f600", "<script>alert(1)</script>",
    "0", "4095", "010", "-1", "1e9", "x" * 3000,
)  # fmt: skip
ERRORS = ("invalid-feedback", "errorlist", "errornote", 'role="alert"')
#: They end or change the session of the test's own user.
LEFT = ("/logout/", "/account/password/", "/login/", "/prove/", "/admin/logout/", "/admin/password_change/")


@pytest.fixture
def things(scene: Scene, admin: Any, network_id: str) -> dict[str, Any]:
    """What addresses can name; a network, a credential and a host key among them."""
    decide(
        CreateNetwork(network_id, "A"),
        Assign(network_id, scene.server1.pk, "eth0"),
        AddMember(network_id, scene.key(scene.server1, "102")),
    )
    Credential.objects.create(name="login", username="root", group=scene.group)
    HostKey.objects.create(
        server=scene.server1, key_type="x", base64="AA", sha256="SHA256:x", state=HostKeyState.OFFERED
    )
    return {
        "group_id": scene.group.pk,
        "server_id": scene.server1.pk,
        "container_id": Container.objects.get(server=scene.server1, ctid="102").pk,
        "network_id": network_id,
        "change_id": planned(admin, servers=(scene.server1,)).pk,
        "name": "eth0",
        "ifname": "eth0",
        "revision": 1,
    }


def pages(things: dict[str, Any], scene: Scene) -> Iterator[str]:
    """The panel's own pages, and the administration's pages for adding and changing."""
    yield from (address for route in routes() if (address := route.address(things)))
    rows = {
        "physicalserver": scene.server1, "servergroup": scene.group, "credential": Credential.objects.get(),
        "adapter": Adapter.objects.first(), "physicalsegment": PhysicalSegment.objects.first(),
    }  # fmt: skip
    for model in site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_add")
        if row := rows.get(str(model._meta.model_name)):
            yield reverse(f"{name}_change", args=[row.pk])


def forms(client: Client, addresses: Iterator[str]) -> list[Form]:
    found: dict[tuple[str, str], Form] = {}
    for address in addresses:
        if address.startswith(LEFT):
            continue
        response = client.get(address)
        if response.status_code == 200 and "text/html" in response.get("Content-Type", ""):
            for form in posting_forms(address, response.text):
                if not form.action.startswith(LEFT):
                    found.setdefault((form.action, ",".join(form.typed)), form)
    return list(found.values())


def fault(client: Client, form: Form, fields: dict[str, str], before: str) -> str:
    """What is wrong with the answer to this post; the database is as before afterwards."""
    with transaction.atomic():
        response = client.post(form.action, fields)
        changed = response.status_code != 302 and state() != before
        transaction.set_rollback(True)
    where = f"{form.action} { ({name: fields[name][:20] for name in form.typed if name in fields})!r}"
    if response.status_code not in (200, 302, 400, 403, 404, 422):
        return f"{where}: {response.status_code}"
    if changed:
        return f"{where}: {response.status_code}, and something was stored"
    if response.status_code in (200, 422) and not any(word in response.text for word in ERRORS):
        return f"{where}: refused without a word"
    if "<script>alert(1)" in html.unescape(response.text) and "<script>alert(1)" in response.text:
        return f"{where}: not escaped"
    return ""


def test_every_field_of_every_form(scene: Scene, admin: Any, things: dict[str, Any]) -> None:
    client = logged_in(admin)
    found = forms(client, pages(things, scene))
    assert len(found) > 20, [form.action for form in found]
    assert any("/admin/nodes/" in form.action for form in found)
    assert any("adapters/new" in form.action for form in found)
    # All fields at once, and one alone, which gets further; all forms together meet every word many times.
    words = itertools.cycle(CRAFTED)
    before, faults = state(), []
    for form in found:
        for _ in range(7):
            faults.append(fault(client, form, form.fields | dict.fromkeys(form.typed, next(words)), before))
        for name in form.typed * 3:
            faults.append(fault(client, form, form.fields | {name: next(words)}, before))
    assert "\n".join(one for one in faults if one) == ""
