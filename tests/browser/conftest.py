"""Chromium, and the pages served with a small scene behind them: no worker, no lab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from networks.domain.state import AddMember, Assign, CreateNetwork, CreateVlan
from networks.models import Change
from networks.problem_check import check
from networks.services.preparing import store_login
from nodes.choices import HostKeyState, ServerState
from nodes.models import Container, Credential, HostKey, PhysicalServer
from tests.networks.changes import decide, drifted, planned
from tests.networks.conftest import Scene, scene

__all__ = ["scene"]

A = "6f1c3a1e-0000-4000-8000-000000000001"
WARNING = {"key": "rule-0", "severity": "warn", "text": "No address.", "hint": "Give one.", "subjects": []}


@pytest.fixture
def site(transactional_db: None, scene: Scene, admin: Any, live_server: Any) -> Any:
    """The scene with network A decided, a review ready, a login refused, long names; at `site.url`."""
    decide(
        CreateNetwork(A, "A"),
        Assign(A, scene.server1.pk, "eth0"),
        AddMember(A, scene.key(scene.server1, "102")),
        CreateVlan(scene.server1.pk, "eth0.100", "eth0", 100),
    )
    Container.objects.filter(ctid="103").update(name="a-container-with-a-very-long-host-name.example.org")
    drifted(scene.server1, network_id=A)
    boot = {"replay": "missing", "keeps": [["bridge", "vn-a", "eth0"]], "ports": [], "dhcp": [], "hook": True}
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(boot=boot | {"off": []})
    key = Credential.objects.create(name="root", public_key="ssh-ed25519 AAAAC3Nza vnetpanel")
    PhysicalServer.objects.filter(pk=scene.server2.pk).update(
        state=ServerState.LOGIN_REFUSED, state_reason="The server refused the key of root.", credential=key
    )
    HostKey.objects.create(
        server=scene.server2,
        key_type="ssh-ed25519",
        base64="AAAA",
        sha256="SHA256:" + "x" * 43,
        state=HostKeyState.OFFERED,
    )
    store_login(scene.server2, "192.0.2.1", "nobody")
    check()
    live_server.scene = scene
    live_server.review = planned(admin, servers=(scene.server1,), problems=[WARNING])
    done = planned(admin, servers=(scene.server1,))
    Change.objects.filter(pk=done.pk).update(state="done")
    live_server.done = done
    return live_server


@pytest.fixture
def open_page(browser: Any, site: Any, admin: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page of a browser that is logged in as the superuser; options go to its context."""
    contexts = []

    def opened(path: str = "/", **options: Any) -> Any:
        client = Client()
        client.force_login(admin)
        context = browser.new_context(base_url=site.url, **options)
        contexts.append(context)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": site.url}])
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
