"""A server's script is called what no other server's is, on its page and at the command line."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from networks.services import preparing
from nodes.models import DedicatedLogin, PhysicalServer
from tests.gate.conftest import HERE
from tests.networks.conftest import Scene, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def files(scene: Scene) -> dict[str, PhysicalServer]:
    """Servers whose names look alike, by what their scripts are to be called."""
    segment = scene.eth0(scene.server1).segment
    assert segment is not None
    others = [make_server(scene.group, segment, f"server{n}", f"10.77.0.1{n}") for n in (3, 4, 5)]
    servers = [scene.server1, scene.server2, *others]
    found = {}
    for server, name, file in zip(
        servers,
        ("vz1.2", "vz12", "vz 12", "vz/12", "нода"),
        ("vz1.2", "vz12", "vz-12_{}", "vz12_{}", "server_{}"),
        strict=True,
    ):
        server.name = name
        server.save()
        found[f"prepare-{file.format(server.pk)}.sh"] = server
    return found


def test_each_has_a_file_of_its_own_in_a_folder(files: dict[str, PhysicalServer], tmp_path: Path) -> None:
    names = [server.name for server in files.values()]
    call_command("prepare_script", *names, "--from", HERE, "--to", str(tmp_path), stdout=StringIO())
    assert {path.name for path in tmp_path.iterdir()} == set(files)
    for file, server in files.items():
        key = DedicatedLogin.objects.get(server=server).credential.public_key
        assert key in (tmp_path / file).read_text()


def test_the_page_saves_and_names_the_same_file(
    files: dict[str, PhysicalServer], client: Client, admin: Any
) -> None:
    client.force_login(admin)
    for file, server in files.items():
        preparing.store_login(server, HERE, admin)
        answer = client.get(reverse("networks:prepare_script", args=[server.pk]))
        assert f'filename="{file}"' in answer["Content-Disposition"]
        assert f"&lt; {file}</code>" in client.get(reverse("networks:prepare_server", args=[server.pk])).text
