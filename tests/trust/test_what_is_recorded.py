"""Who changed what about users, servers, credentials and host keys is in the trail, whichever way it came."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from networks.choices import ChangeState
from networks.domain.state import CreateNetwork
from networks.services import changes, preparing
from nodes import observe, services
from nodes.choices import HostKeyState
from nodes.models import Credential, DedicatedLogin, GroupRole, HostKey, PhysicalServer, ServerGroup
from nodes.services import Secrets
from nodes.ssh import HostKey as HostKeyRead
from tests.networks.changes import planned
from tests.networks.conftest import Scene, operator, scene, viewer
from tests.pages.conftest import logged_in
from trust.models import Entry

__all__ = ["operator", "scene", "viewer"]

pytestmark = pytest.mark.django_db
A = "6f1c3a1e-0000-4000-8000-000000000001"


def newest(action: str) -> Entry:
    entry = Entry.objects.filter(action=action).order_by("-number").first()
    assert entry, f"no line {action}; there are {list(Entry.objects.values_list('action', flat=True))}"
    return entry


def test_a_server_that_is_added_changed_and_removed(scene: Scene, admin: Any) -> None:
    server = services.add_server(admin, name="new1", group=scene.group, address="192.0.2.9")
    assert newest("physical_server.added").server_names == ["new1"]
    services.change_server(admin, server, address="192.0.2.10")
    assert "address 192.0.2.9 → 192.0.2.10" in newest("physical_server.changed").text
    services.remove_server(admin, server)
    assert newest("physical_server.removed").servers == f"{server.pk} new1"


def test_a_page_names_its_user_and_address(scene: Scene, admin: Any) -> None:
    logged_in(admin).post(
        reverse("nodes:edit_group", args=[scene.group.pk]), {"name": "Lab 2"}, REMOTE_ADDR="192.0.2.50"
    )
    entry = newest("server_group.changed")
    assert (entry.actor, entry.actor_key, entry.address) == ("admin", admin.pk, "192.0.2.50")
    assert "name Lab → Lab 2" in entry.text


def test_a_changed_secret_is_told_and_not_shown(scene: Scene, admin: Any) -> None:
    made = services.create_credential(
        admin, name="one", username="root", secrets=Secrets(password="hunter2-first"), group=scene.group
    )
    services.change_credential(admin, made, secrets=Secrets(password="hunter2-second"))
    assert "password changed" in newest("credential.changed").text
    assert not [e for e in Entry.objects.all() if "hunter2" in e.text + e.plan + e.result]


def test_a_look_leaves_no_line(scene: Scene) -> None:
    before = Entry.objects.count()
    PhysicalServer.objects.update(state_reason="x")
    scene.server1.save(update_fields=["looked_at"])
    assert Entry.objects.count() == before


def test_roles_and_users(admin: Any, alice: Any) -> None:
    group = ServerGroup.objects.create(name="G")
    role = GroupRole.objects.create(user=alice, group=group)
    role.role = "admin"
    role.save()
    assert "role viewer → admin" in newest("group_role.changed").text
    alice.set_password("another-password-here")
    alice.is_superuser = True
    alice.save()
    assert (
        newest("user.changed").text == "User alice was changed: superuser status no → yes; password changed."
    )
    alice.user_permissions.add(Permission.objects.get(codename="view_entry"))
    assert "audit line" in newest("permissions.changed").text


def offered(scene: Scene) -> HostKey:
    return HostKey.objects.create(
        server=scene.server1, key_type="ssh-ed25519", base64="AA", sha256="SHA256:old"
    )


@pytest.mark.parametrize("decision", ["approve", "refuse"])
def test_a_host_key_decision(scene: Scene, admin: Any, decision: str) -> None:
    key = HostKey.objects.create(
        server=scene.server1, key_type="ssh-ed25519", base64="AA", sha256="SHA256:new"
    )
    logged_in(admin).post(
        reverse("nodes:host_key", args=[scene.server1.pk]), {"decision": decision, "sha256": key.sha256}
    )
    entry = newest(f"host_key.{decision}d")
    assert entry.server_names == ["server1"] and "SHA256:new" in entry.text and entry.actor == "admin"


def test_a_change_from_its_apply_to_its_end(scene: Scene, operator: Any) -> None:
    change = planned(operator, CreateNetwork(A, "A"), reason="We need it.")
    response = logged_in(operator).post(
        reverse("networks:apply_change", args=[change.pk]), REMOTE_ADDR="192.0.2.50"
    )
    assert response.status_code == 302
    change.refresh_from_db()
    assert change.state == ChangeState.DONE
    applied, decided, ended = (newest(f"change.{what}") for what in ("applied", "decided", "ended"))
    assert applied.number < decided.number < ended.number
    assert (applied.actor, applied.address) == ("otto", "192.0.2.50")
    assert "Create Virtual Network A. Reason: We need it." in applied.text
    assert "revision 1" in decided.result and ended.result.startswith("Done.")


def test_a_change_keeps_its_plan_and_servers_in_the_trail(scene: Scene, operator: Any) -> None:
    change = planned(operator, servers=(scene.server1,))
    changes.apply_change(operator, change, ())
    entry = newest("change.applied")
    assert entry.server_names == ["server1"]
    assert "digest 0000" in entry.plan and "ip link set dev eth0 master vn-a" in entry.plan
    changes.cancel_change(operator, change)
    assert newest("change.cancelled").actor == "otto"


def test_the_administration_is_recorded_too(admin: Any) -> None:
    client = logged_in(admin)
    client.post(
        reverse("admin:nodes_credential_add"),
        {"name": "two", "username": "root", "new_password": "hunter2-third"},
        REMOTE_ADDR="192.0.2.50",
    )
    assert newest("credential.added").address == "192.0.2.50"
    key = Credential.objects.get(name="two").pk
    client.post(
        reverse("admin:nodes_credential_changelist"),
        {"action": "delete_selected", "_selected_action": [key], "post": "yes"},
    )
    assert newest("credential.removed").actor == "admin"


def remove_in_the_administration(row: Any, admin: Any, by_list: bool) -> None:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    if by_list:
        body = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        answer = logged_in(admin).post(reverse(f"{name}_changelist"), body)
    else:
        answer = logged_in(admin).post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"})
    assert answer.status_code == 302 and not type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("by_list", [False, True])
def test_a_host_key_removed_in_the_administration(scene: Scene, admin: Any, by_list: bool) -> None:
    remove_in_the_administration(offered(scene), admin, by_list)
    entry = newest("host_key.removed")
    assert entry.text == "Host key ssh-ed25519 SHA256:old was removed."
    assert entry.server_names == ["server1"] and entry.actor == "admin"


@pytest.mark.parametrize("by_list", [False, True])
def test_a_login_of_the_panel_s_own_removed_in_the_administration(
    scene: Scene, admin: Any, by_list: bool
) -> None:
    login = preparing.store_login(scene.server1, "192.0.2.1", admin)
    remove_in_the_administration(login, admin, by_list)
    entry = newest("dedicated_login.removed")
    assert entry.text == "Dedicated login of server1 was removed."
    assert entry.server_names == ["server1"] and entry.actor == "admin"


def test_what_goes_in_the_course_of_things_is_told_once(scene: Scene, admin: Any) -> None:
    services.refuse_host_key(admin, offered(scene))
    offered(scene)
    observe._offer(scene.server1, HostKeyRead("ssh-ed25519", "BBBB"))
    offered(scene)
    preparing.store_login(scene.server1, "192.0.2.1", admin)
    services.remove_server(admin, scene.server1)
    assert not HostKey.objects.exists() and not DedicatedLogin.objects.exists()
    removed = Entry.objects.filter(action__endswith=".removed").values_list("action", flat=True)
    assert list(removed) == ["physical_server.removed"]
    assert Entry.objects.filter(action="host_key.refused").count() == 1


def test_a_host_key_is_refused_in_one_statement_which_finds_it_approved_meanwhile(
    scene: Scene, admin: Any
) -> None:
    key = offered(scene)
    with CaptureQueriesContext(connection) as captured:
        services.refuse_host_key(admin, key)
    about = [query["sql"] for query in captured if "nodes_hostkey" in query["sql"]]
    assert len(about) == 1 and about[0].startswith("DELETE") and '"state" = ' in about[0]


def test_a_host_key_that_was_decided_meanwhile_leaves_no_line(scene: Scene, admin: Any) -> None:
    key = HostKey.objects.create(
        server=scene.server1, key_type="x", base64="AA", sha256="SHA256:x", state=HostKeyState.PINNED
    )
    with pytest.raises(services.ServiceError):
        services.refuse_host_key(admin, key)
    assert not Entry.objects.filter(action__startswith="host_key").exists()


def test_logins_and_failures(client: Client, alice: Any) -> None:
    client.post("/login/", {"username": "alice", "password": "wrong"}, REMOTE_ADDR="192.0.2.50")
    assert newest("login.failed").text == "A login as alice failed."
    client.post("/login/", {"username": "my-secret-password", "password": "x"})
    assert "my-secret" not in newest("login.failed").text
    client.post(
        "/login/", {"username": "alice", "password": "correct-horse-battery"}, REMOTE_ADDR="192.0.2.50"
    )
    entry = newest("login")
    assert (entry.actor, entry.address) == ("alice", "192.0.2.50")
    client.post("/logout/")
    assert newest("logout").actor == "alice"
