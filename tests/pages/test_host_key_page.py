"""The page of a server's host key: it waits as long as a key may come, and offers what its reader may do."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from nodes.choices import HostKeyState, ServerState
from nodes.models import HostKey, PhysicalServer
from tests.networks.conftest import Scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(scene: Scene) -> PhysicalServer:
    """A server that was added just now."""
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(state=ServerState.NEW)
    return scene.server1


def page(client: Client, server: PhysicalServer) -> str:
    return client.get(reverse("nodes:host_key", args=[server.pk])).text


def waits(text: str) -> bool:
    return "hx-trigger" in text.split('id="host-key"')[1].split(">")[0]


def key_of(server: PhysicalServer, state: HostKeyState = HostKeyState.OFFERED) -> HostKey:
    return HostKey.objects.create(
        server=server, key_type="ssh-ed25519", base64="AAAA", sha256="SHA256:shown", state=state
    )


def decide(client: Client, server: PhysicalServer, decision: str) -> Any:
    body = {"sha256": "SHA256:shown", "decision": decision}
    return client.post(reverse("nodes:host_key", args=[server.pk]), body)


def test_it_waits_for_the_key_and_not_beyond_it(as_admin: Client, server: PhysicalServer) -> None:
    assert waits(page(as_admin, server))
    key_of(server)
    assert not waits(page(as_admin, server))


@pytest.mark.parametrize("state", [ServerState.OK, ServerState.WAITING, ServerState.UNREACHABLE])
def test_it_waits_for_nothing_once_a_key_is_approved(
    as_admin: Client, server: PhysicalServer, state: ServerState
) -> None:
    """Found in review: it asked every second for ever, and was told that nothing was new."""
    key_of(server)
    assert decide(as_admin, server, "approve")["Location"] == reverse("nodes:preflight", args=[server.pk])
    PhysicalServer.objects.filter(pk=server.pk).update(state=state, state_reason="Why it is so.")
    text = page(as_admin, server)
    assert "Approved by admin" in text and not waits(text)
    assert reverse("nodes:read_host_key", args=[server.pk]) not in text


def test_after_a_refusal_it_waits_for_the_next_key(as_admin: Client, server: PhysicalServer) -> None:
    key_of(server)
    decide(as_admin, server, "refuse")
    assert waits(page(as_admin, server))


def test_a_failure_is_shown_and_what_comes_after_it_is_waited_for(
    as_admin: Client, server: PhysicalServer
) -> None:
    """Each look tries again: found in review, pressing "Try again" showed nothing until a reload."""
    PhysicalServer.objects.filter(pk=server.pk).update(state_reason="No route to host.")
    text = page(as_admin, server)
    assert "No route to host." in text and waits(text)
    again = reverse("nodes:read_host_key", args=[server.pk])
    assert again in text
    assert "is being read, without logging in" in as_admin.post(again, follow=True).text


def test_of_a_disabled_server_nothing_is_waited_for(as_admin: Client, server: PhysicalServer) -> None:
    PhysicalServer.objects.filter(pk=server.pk).update(is_enabled=False)
    text = page(as_admin, server)
    assert "is disabled: its host key is not read" in text and not waits(text)
    assert reverse("nodes:read_host_key", args=[server.pk]) in text


def test_a_windows_server_has_none(as_admin: Client, scene: Scene) -> None:
    text = page(as_admin, scene.windows)
    assert "reads no host key" in text and not waits(text)


def test_a_viewer_is_told_who_can_have_it_read(as_viewer: Client, server: PhysicalServer) -> None:
    PhysicalServer.objects.filter(pk=server.pk).update(state_reason="No route to host.")
    text = page(as_viewer, server)
    assert "Somebody with the admin role in Lab can have it read again." in text
    assert reverse("nodes:read_host_key", args=[server.pk]) not in text
    assert reverse("nodes:edit_server", args=[server.pk]) not in text


def test_the_second_of_two_clicks_leads_where_the_first_does(
    as_admin: Client, server: PhysicalServer
) -> None:
    key_of(server)
    where = [decide(as_admin, server, "approve")["Location"] for _ in range(2)]
    assert where == [reverse("nodes:preflight", args=[server.pk])] * 2
    assert HostKey.objects.get().state == HostKeyState.PINNED
