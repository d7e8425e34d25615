"""The server's own page says what its next boot would produce against what runs, and what to do (rule 14)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from networks.domain.state import Assign, CreateNetwork
from networks.models import VirtualNetwork
from nodes.models import PhysicalServer
from tests.networks.changes import decide
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"
GOOD: dict[str, Any] = {"replay": "enabled", "keeps": [], "ports": {}, "dhcp": [], "hook": True, "off": []}


def page(client: Client, scene: Scene, **boot: Any) -> str:
    stored = {**GOOD, "keeps": [["bridge", "vn-a", "eth0"]], **boot} if boot else {}
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(boot=stored)
    return " ".join(client.get(reverse("nodes:server", args=[scene.server1.pk])).text.split())


@pytest.fixture
def assigned(scene: Scene) -> Scene:
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"))
    VirtualNetwork.objects.filter(pk=A).update(bridge="vn-a")
    return scene


def test_a_boot_that_brings_everything_back_is_said_so(assigned: Scene, as_viewer: Client) -> None:
    assert "its next boot brings back every virtual network" in page(as_viewer, assigned, replay="enabled")


@pytest.mark.parametrize(
    ("boot", "words", "remedy"),
    [
        ({"replay": "missing"}, "would lose Virtual Network A at its next boot", "Apply any change"),
        ({"replay": "disabled"}, "is installed but not enabled", "systemctl enable vnetpanel-net"),
        ({"ports": {"eth0": "br0"}}, "would be in br0 after the next boot", "Take eth0 out of br0"),
        ({"dhcp": ["eth0"]}, "by DHCP", "static address"),
        (
            {"keeps": [["bridge", "vn-old", "-"]]},
            "would come up without Virtual Network A: its own record does not name vn-a",
            "Repair the server",
        ),
    ],
)
def test_what_a_boot_would_not_bring_back_is_named_with_the_remedy(
    assigned: Scene, as_viewer: Client, boot: dict[str, Any], words: str, remedy: str
) -> None:
    text = page(as_viewer, assigned, **boot)
    assert "At its next boot" in text and words in text and remedy in text
    assert "brings back every" not in text


def test_nothing_is_said_where_nothing_was_rehearsed(assigned: Scene, as_viewer: Client) -> None:
    text = page(as_viewer, assigned)
    assert "next boot" not in text
