"""A server is prepared from its page, used, updated and taken back; a login that is lent is kept nowhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from networks import gate, problem_check
from networks.engine import hosts
from networks.engine.hosts import Host, NoAnswer
from networks.services import preparing
from nodes import observe, services
from nodes.choices import HostKeyState, Role, ServerState
from nodes.models import Credential, DedicatedLogin, GroupRole, HostKey, PhysicalServer
from nodes.observe import pool
from nodes.services.errors import NotAllowed, ServiceError
from nodes.ssh import keys
from tests.gate.conftest import HERE, Machine
from tests.networks.conftest import Scene
from tests.sshd import PASSWORD
from trust.models import Entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(scene: Scene, bare: Machine, admin: Any) -> Iterator[PhysicalServer]:
    """A server of the scene that is a real machine; the panel has root's key."""
    server = scene.server1
    server.credential = services.create_credential(
        admin,
        name="root of it",
        username="root",
        secrets=services.Secrets(private_key=bare.key.private),
        group=server.group,
    )
    server.address, server.port, server.state = bare.address, bare.port, ServerState.OK
    server.panel_address = HERE
    server.save()
    HostKey.objects.filter(server=server).delete()
    for key in bare.host_keys:
        HostKey.objects.create(
            server=server, key_type=key.type, base64=key.base64, sha256=key.sha256, state=HostKeyState.PINNED
        )
    yield PhysicalServer.objects.get(pk=server.pk)
    pool().forget(str(server.pk))


@pytest.fixture
def page(client: Client, admin: Any, server: PhysicalServer) -> Any:
    """Posts to the server's page of it; what it answers in the end."""
    client.force_login(admin)
    address = reverse("networks:prepare_server", args=[server.pk])

    def post(action: str = "", **data: str) -> str:
        if not action:
            return client.get(address).text
        return client.post(address, {"action": action, **data}, follow=True).text

    return post


def prepared(page: Any, **login: str) -> str:
    page("key", addresses=HERE)
    return str(page("install", **(login or {"login": "existing", "drop_old": "on"})))


def test_from_root_s_login_to_a_user_of_its_own(page: Any, server: PhysicalServer) -> None:
    assert "may run anything" in page()
    assert "Make the key" in page() and HERE in page()
    text = page("key", addresses=f"{HERE}, 192.0.2.0/24")
    login = DedicatedLogin.objects.get()
    for shown in (
        f"from=&quot;{HERE},192.0.2.0/24&quot;",
        login.credential.public_key,
        "/usr/local/lib/vnetpanel/transaction - apply",
        "Prepare the server",
        gate.version(),
    ):
        assert shown in text
    assert "root of it" in text  # the stored login is offered, and may be dropped afterwards
    text = page("install", login="existing", drop_old="on")
    assert "is prepared: the panel logs in as vnetpanel" in text, text
    server.refresh_from_db()
    assert server.credential == login.credential and server.by_gate and not server.use_sudo
    assert server.programs == gate.version()
    assert not Credential.objects.filter(name="root of it").exists()
    entry = Entry.objects.get(action="server.prepared")
    assert "NOPASSWD" in entry.plan and server.name in entry.server_names


def test_looks_and_the_script_then_go_by_the_gate(page: Any, server: PhysicalServer, bare: Machine) -> None:
    prepared(page)
    server = PhysicalServer.objects.get(pk=server.pk)
    before = bare.commands
    facts = observe.look(server)
    assert facts.programs == gate.version() and bare.commands == before + 1
    host = Host(server)
    assert host.recover().ok
    assert host.plan("nonsense").code == 64
    assert bare.commands == before + 3
    assert "forced-command" in bare.log.splitlines()[-1] or "forced-command" in bare.log


def test_a_login_that_is_lent_is_nowhere_afterwards(page: Any, server: PhysicalServer, bare: Machine) -> None:
    page("key", addresses=HERE)
    lent = keys.make_key_pair("lent", passphrase="pass of the lent one")
    bare.authorize(lent.public)
    text = page(
        "install", login="key", username="root", private_key=lent.private, passphrase="pass of the lent one"
    )
    assert "is prepared" in text, text
    assert keys.login_key.cache_info().currsize <= 1  # the dedicated one
    secret = lent.private.splitlines()[2]
    rows = [
        str(value)
        for model in (Credential, DedicatedLogin, Entry, PhysicalServer)
        for row in model.objects.values()
        for value in row.values()
    ]
    assert not [row for row in rows if secret in row or "pass of the lent" in row]
    server.refresh_from_db()
    assert server.by_gate and Credential.objects.filter(name="root of it").exists()


def test_somebody_with_sudo_can_be_lent_as_well(page: Any, server: PhysicalServer, bare: Machine) -> None:
    page("key", addresses=HERE)
    lent = {"login": "key", "username": "panel", "private_key": bare.key.private}
    assert "sudo" in page("install", **lent)  # it says what sudo lacks
    bare.root("echo 'panel ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers")
    text = page("install", **lent)
    assert "is prepared" in text, text
    server.refresh_from_db()
    assert server.by_gate


def test_what_goes_wrong_is_said_beside_the_form_and_no_secret_is_shown(page: Any, bare: Machine) -> None:
    page("key", addresses=HERE)
    text = page("install", login="password", username="root", password="wr0ng-Pa55")
    assert "refused" in text and "wr0ng-Pa55" not in text
    text = page("install", login="key", username="root", private_key="-----BEGIN nonsense 4711")
    assert "not a private key" in text and "4711" not in text
    assert "This is needed" in page("install", login="password", username="root")
    bare.root("useradd -M vnetpanel")
    text = page("install", login="existing")
    assert "a user vnetpanel that the panel has not made" in text
    assert "is no IP address" in page("key", addresses="everywhere")


def test_the_panel_logs_in_as_before_where_the_key_is_not_let_in(page: Any, server: PhysicalServer) -> None:
    page("key", addresses="192.0.2.77")
    text = page("install", login="existing", drop_old="on")
    assert "logs in as before" in text and "192.0.2.77" in text
    server.refresh_from_db()
    assert server.credential and server.credential.username == "root" and not server.by_gate
    page("key", addresses=HERE)
    assert "is prepared" in page("install", login="existing")


def test_by_hand_the_script_is_run_and_then_tried(
    page: Any, server: PhysicalServer, bare: Machine, client: Client
) -> None:
    page("key", addresses=HERE)
    assert "logs in as before" in page("use")
    answer = client.get(reverse("networks:prepare_script", args=[server.pk]))
    assert "prepare-" in answer["Content-Disposition"] and "PRIVATE" not in answer.text
    assert bare.root(answer.text).stdout.endswith(b"done=0\n")
    assert "It works" in page("use", drop_old="on")
    server.refresh_from_db()
    assert server.by_gate


def test_earlier_programs_are_named_and_no_change_is_made_with_them(
    page: Any, server: PhysicalServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(page)
    server = PhysicalServer.objects.get(pk=server.pk)
    now = gate.version()
    monkeypatch.setattr(gate, "version", lambda: "0123456789abcdef")
    with pytest.raises(NoAnswer, match=r"earlier version.*Prepare server") as refused:
        Host(server).plan("x")
    assert not refused.value.started
    assert hosts.Host(server).recover().ok  # what has begun can be ended
    observe.look(server)
    (problem,) = problem_check.of_programs()
    assert server.name in problem.text and problem.severity == "refuse"
    text = page()
    assert "Changes are refused" in text and now in text and "Update the programs" in text
    assert "of an earlier version" in client.get(reverse("nodes:server", args=[server.pk])).text
    monkeypatch.undo()
    assert not list(problem_check.of_programs())


def test_only_an_administrator_s_login_puts_it_there_again(page: Any, server: PhysicalServer) -> None:
    prepared(page)
    text = page("install", login="existing")
    assert "Select a valid choice" in text
    server = PhysicalServer.objects.get(pk=server.pk)
    with pytest.raises(ServiceError, match="cannot change its own programs"):
        preparing._run(server, None, "true", "prepared")


def test_taken_back_the_server_has_no_login(
    page: Any, server: PhysicalServer, bare: Machine, client: Client
) -> None:
    prepared(page)
    bare.authorize((lent := keys.make_key_pair()).public)
    assert "cannot use it" not in client.get(f"/servers/{server.pk}/prepare/?take=away").text
    text = page("remove", login="key", username="root", private_key=lent.private)
    assert "are off" in text
    server.refresh_from_db()
    assert server.credential is None and not DedicatedLogin.objects.exists()
    assert not Credential.objects.filter(username="vnetpanel").exists()
    assert Entry.objects.filter(action="server.unprepared").count() == 1
    assert not Entry.objects.filter(action="dedicated_login.removed").exists()
    assert bare.root("grep vnetpanel /etc/passwd; ls /usr/local/lib/vnetpanel").exit_status != 0


def test_only_an_admin_of_the_group_who_has_just_proved_it(
    scene: Scene, client: Client, operator: Any, admin: Any
) -> None:
    address = reverse("networks:prepare_server", args=[scene.server1.pk])
    client.force_login(operator)
    assert client.get(address).status_code == 403
    assert client.post(address, {"action": "key", "addresses": HERE}).status_code == 403
    with pytest.raises(NotAllowed):
        preparing.make_login(operator, scene.server1, HERE)
    client.force_login(admin)
    session = client.session
    session["proved"] = 0
    session.save()
    assert "prove" in client.get(address)["Location"]
    assert "prove" in client.post(address, {"action": "key", "addresses": HERE})["Location"]
    assert not DedicatedLogin.objects.exists()


def test_a_login_that_is_not_hers_to_remove_stays(scene: Scene, admin: Any, operator: Any) -> None:
    """Outside all groups it is a superuser's, even where one server of a group is all that uses it."""
    login = services.create_credential(
        admin, name="everybody's", username="root", secrets=services.Secrets(password="s"), group=None
    )
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(credential=login)
    assert preparing.may_drop(admin, login, scene.server1)
    GroupRole.objects.filter(user=operator).update(role=Role.ADMIN)
    assert not preparing.may_drop(operator, login, scene.server1)


def test_nothing_while_a_change_is_under_way(page: Any, server: PhysicalServer, admin: Any) -> None:
    from networks.choices import OperationState
    from tests.networks.changes import planned

    page("key", addresses=HERE)
    planned(admin, servers=(server,)).operations.update(state=OperationState.APPLIED)
    assert "under way" in page("install", login="existing")


@pytest.mark.django_db(transaction=True)
def test_the_password_is_in_no_file_of_the_panel(page: Any, bare: Machine, server: PhysicalServer) -> None:
    page("key", addresses=HERE)
    assert "is prepared" in page("install", login="password", username="root", password=PASSWORD)
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        from django.db import connection

        dump = "\n".join(connection.connection.iterdump())
        assert isinstance(connection.connection, sqlite3.Connection) and PASSWORD not in dump


def test_scripts_are_written_at_the_command_line(scene: Scene, tmp_path: Path) -> None:
    def said(*words: str) -> str:
        out = StringIO()
        call_command("prepare_script", *words, stdout=out)
        return out.getvalue()

    with pytest.raises(CommandError, match="--from"):
        said("server1")
    with pytest.raises(CommandError, match="no physical server"):
        said("nobody")
    script = said("server1", "--from", HERE)
    assert script.startswith("#!/bin/sh\n") and DedicatedLogin.objects.get().credential.public_key in script
    assert said("server1") == script
    with pytest.raises(CommandError, match="--to"):
        said("server1", "server2")
    said("server1", "server2", "--from", HERE, "--to", str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prepare-server1.sh", "prepare-server2.sh"]
