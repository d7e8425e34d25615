"""What the pages say of the lab is what `manage.py lab status --json` says."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from lab import status
from lab.lab import Lab
from nodes.lab_registration import register, servers_of
from nodes.models import Container, PhysicalSegment
from nodes.observe import pool

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pages(lab: Lab, admin: Any) -> dict[str, dict[str, str]]:
    """The words of each server's pages, by server and page."""
    PhysicalSegment.objects.get_or_create(is_default=True, defaults={"name": "physical network"})
    client = Client()
    client.force_login(admin)

    def words(name: str, pk: int) -> str:
        text = re.sub(r"<[^>]+>", " ", client.get(reverse(name, args=[pk])).text)
        return " ".join(html.unescape(text).split())

    found = {}
    for server in register(servers_of(lab.place)):
        pool().forget(str(server.pk))
        found[server.name] = {
            "server": words("nodes:server", server.pk),
            "adapters": words("networks:server_adapters", server.pk),
            "containers": words("nodes:server_containers", server.pk),
        } | {row.ctid: words("nodes:container", row.pk) for row in Container.objects.filter(server=server)}
    return found


def test_the_pages_name_what_the_lab_made(lab: Lab, pages: dict[str, dict[str, str]]) -> None:
    for server in status.look(lab).servers:
        page = pages[server.name]
        assert server.address in page["server"]
        assert server.host_key_sha256 in page["server"]
        for container in server.containers:
            assert f"{container.ctid} {container.name} Running" in page["containers"]
            for interface in container.interfaces:
                row = page[container.ctid]
                assert interface.ifname in row
                assert ("Host-routed" if interface.mode == "host-routed" else "Bridged") in row
                if interface.mode == "bridged":
                    assert interface.mac in row and interface.host_ifname in row
                for address in interface.addresses:
                    assert address.partition("/")[0] in row


def test_a_bridge_that_was_there_is_shown_as_found_and_not_ours(pages: dict[str, dict[str, str]]) -> None:
    assert "br0 found, not ours" in pages["server3"]["adapters"]
    assert "10.77.0.13/24" in pages["server3"]["adapters"]
    for name in ("server1", "server2"):
        assert "not ours" not in pages[name]["adapters"]
