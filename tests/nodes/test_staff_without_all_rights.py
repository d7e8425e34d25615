"""Staff with single permissions in the administration get no further by them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from nodes import tasks
from nodes.choices import Role
from nodes.models import Credential, GroupRole, PhysicalServer, ServerGroup
from tests.nodes.test_stale_admin_forms import as_shown, sent
from tests.nodes.test_stale_admin_inlines import with_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(alice: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A member of staff without permissions; `client` is her browser."""
    monkeypatch.setattr(tasks, "send", lambda task, *args: None)
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    client.force_login(alice)
    return alice


def allow(user: Any, *names: str) -> None:
    user.user_permissions.set(Permission.objects.filter(codename__in=names))


def test_who_may_change_users_gives_nobody_rights(staff: Any, client: Client, viewer: Any) -> None:
    allow(staff, "view_user", "change_user")
    auditors = Group.objects.create(name="auditors")
    everything = Permission.objects.all()
    rights: dict[str, Any] = {
        "is_superuser": "on", "is_staff": "on", "groups": [auditors.pk],
        "user_permissions": [permission.pk for permission in everything],
    }  # fmt: skip
    address = reverse("admin:auth_user_change", args=[viewer.pk])
    sent(client, address, as_shown(client, address) | rights | {"email": "v@example.org"})
    viewer.refresh_from_db()
    assert (viewer.email, viewer.is_superuser, viewer.is_staff) == ("v@example.org", False, False)
    assert not viewer.groups.exists() and not viewer.user_permissions.exists()


@pytest.mark.parametrize("whose", ["admin", "alice", "bob"])
def test_who_may_change_users_takes_over_nobody_who_works_here(
    staff: Any, client: Client, admin: Any, django_user_model: Any, whose: str
) -> None:
    allow(staff, "view_user", "change_user", "delete_user")
    django_user_model.objects.create_user("bob", password="correct-horse", is_staff=True)
    user = User.objects.get(username=whose)
    passwords = {
        "password1": "an-0ther-password",
        "password2": "an-0ther-password",
        "usable_password": "true",
    }
    assert (
        client.post(reverse("admin:auth_user_password_change", args=[user.pk]), passwords).status_code == 403
    )
    assert client.post(reverse("admin:auth_user_delete", args=[user.pk]), {"post": "yes"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"}
    client.post(reverse("admin:auth_user_changelist"), action)
    page = client.get(reverse("admin:auth_user_change", args=[user.pk]))
    assert page.status_code == 200 and user.password not in page.text and user.password[-20:] not in page.text
    client.post(reverse("admin:auth_user_change", args=[user.pk]), {"username": "other", "is_active": ""})
    now = User.objects.get(pk=user.pk)
    assert (now.username, now.password, now.is_active) == (whose, user.password, True)


def test_superusers_give_and_take_rights_as_before(office: Client, admin: Any, viewer: Any) -> None:
    address = reverse("admin:auth_user_change", args=[viewer.pk])
    sent(office, address, with_rows(office, address) | {"is_staff": "on", "is_superuser": "on"})
    viewer.refresh_from_db()
    assert viewer.is_staff and viewer.is_superuser


def test_who_may_change_groups_of_permissions_gives_them_none(staff: Any, client: Client) -> None:
    allow(staff, "view_group", "change_group", "add_group")
    mine = Group.objects.create(name="mine")
    staff.groups.add(mine)
    everything = [permission.pk for permission in Permission.objects.all()]
    for address in (reverse("admin:auth_group_change", args=[mine.pk]), reverse("admin:auth_group_add")):
        sent(client, address, as_shown(client, address) | {"name": "renamed", "permissions": everything})
        assert not Permission.objects.filter(group__name="renamed").exists()
        Group.objects.filter(name="renamed").update(name=address)
    assert Group.objects.filter(name__startswith="/admin").count() == 2


@pytest.mark.parametrize("way", ["add", "change"])
def test_a_server_is_given_no_login_that_one_may_not_use(
    staff: Any, client: Client, server: PhysicalServer, credential: Credential, way: str
) -> None:
    allow(staff, "view_physicalserver", "add_physicalserver", "change_physicalserver")
    mine = ServerGroup.objects.create(name="Mine")
    GroupRole.objects.create(user=staff, group=mine, role=Role.ADMIN)
    own = Credential.objects.create(name="own", username="root", password="x", group=mine)
    target = PhysicalServer.objects.create(name="target", group=mine, address="192.0.2.66", credential=own)
    address = reverse("admin:nodes_physicalserver_add")
    if way == "change":
        address = reverse("admin:nodes_physicalserver_change", args=[target.pk])
    form = {"name": "target2", "group": mine.pk, "os": "linux", "address": "192.0.2.67", "port": 22}
    refused = client.post(address, as_shown(client, address) | form | {"credential": credential.pk})
    assert "credential" in refused.context["adminform"].form.errors
    assert not PhysicalServer.objects.filter(group=mine, credential=credential).exists()
    sent(client, address, as_shown(client, address) | form | {"credential": own.pk})
    # What a server has it keeps, whoever changes something else about it.
    Credential.objects.filter(pk=credential.pk).update(group=None)
    GroupRole.objects.create(user=staff, group=server.group, role=Role.ADMIN)
    address = reverse("admin:nodes_physicalserver_change", args=[server.pk])
    sent(client, address, as_shown(client, address) | {"description": "typed"})
    server.refresh_from_db()
    assert (server.description, server.credential) == ("typed", credential)


def test_with_one_permission_only_what_it_names_is_done(
    staff: Any, client: Client, server: PhysicalServer, credential: Credential, viewer: Any
) -> None:
    """Each page, action and removal of each model, with each single permission."""
    faults = []
    for model in site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.first()
        pages = {reverse(f"admin:{name}_changelist"): ("view", "change")}
        pages[reverse(f"admin:{name}_add")] = ("add",)
        if row is not None:
            pages[reverse(f"admin:{name}_change", args=[row.pk])] = ("view", "change")
            pages[reverse(f"admin:{name}_history", args=[row.pk])] = ("view", "change")
            pages[reverse(f"admin:{name}_delete", args=[row.pk])] = ("delete",)
        for permission in Permission.objects.filter(content_type__model=model._meta.model_name):
            staff.user_permissions.set([permission])
            does = permission.codename.partition("_")[0]
            for page, needed in pages.items():
                answer = client.get(page)
                if answer.status_code not in (200, 302, 403) or (
                    does not in needed and answer.status_code != 403
                ):
                    faults.append(f"{permission.codename}: {page} {answer.status_code}")
    assert faults == []


def test_no_secret_is_shown_or_can_be_looked_for(
    staff: Any, client: Client, server: PhysicalServer, credential: Credential
) -> None:
    staff.refresh_from_db()
    staff.user_permissions.set(Permission.objects.all())
    token = Credential.objects.values_list("password", flat=True).get()
    for model in (Credential, PhysicalServer, User):
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        listed = reverse(f"admin:{name}_changelist")
        pages = [listed, reverse(f"admin:{name}_add")]
        pages += [
            reverse(f"admin:{name}_{page}", args=[model.objects.first().pk]) for page in ("change", "history")
        ]
        for page in pages:
            text = client.get(page).text
            assert "s3cret-pw" not in text and token not in text and staff.password not in text, page
        for query in ("password__startswith=s", "private_key__contains=x", "credential__password__gt=a",
                      "user__password__startswith=p", "two_factor__secret__startswith=A"):  # fmt: skip
            assert client.get(f"{listed}?{query}").status_code in (302, 400), query


@pytest.fixture
def mine(staff: Any) -> ServerGroup:
    """The one server group that she administers; in the administration she may do everything there."""
    staff.user_permissions.set(Permission.objects.all())
    mine = ServerGroup.objects.create(name="Mine")
    GroupRole.objects.create(user=staff, group=mine, role=Role.ADMIN)
    return mine


def test_what_is_in_other_server_groups_is_for_reading(
    mine: ServerGroup,
    client: Client,
    server: PhysicalServer,
    credential: Credential,
    group: ServerGroup,
    viewer: Any,
) -> None:
    rows = (group, server, credential, GroupRole.objects.get(user=viewer), server.host_keys.get())
    for row in rows:
        name = f"admin:nodes_{row._meta.model_name}"
        change = reverse(f"{name}_change", args=[row.pk])
        assert client.get(change).status_code == 200
        for field in ("group", "parent", "name"):
            value = "taken" if field == "name" else mine.pk
            assert client.post(change, as_shown(client, change) | {field: value}).status_code == 403, row
        assert client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403, row
        action = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        client.post(reverse(f"{name}_changelist"), action)
        assert type(row).objects.filter(pk=row.pk).exists(), row


def test_nothing_is_put_where_she_has_no_role(
    mine: ServerGroup, client: Client, group: ServerGroup, viewer: Any
) -> None:
    inside = ServerGroup.objects.create(name="Inside", parent=mine)
    own = PhysicalServer.objects.create(name="own", group=mine, address="192.0.2.66")
    for page, field, fields in (
        (reverse("admin:nodes_grouprole_add"), "group", {"user": viewer.pk, "role": "admin"}),
        (reverse("admin:nodes_physicalserver_add"), "group", {"name": "x", "address": "192.0.2.1"}),
        (reverse("admin:nodes_physicalserver_change", args=[own.pk]), "group", {}),
        (reverse("admin:nodes_servergroup_change", args=[inside.pk]), "parent", {}),
    ):
        answer = client.post(page, as_shown(client, page) | fields | {field: group.pk})
        assert field in answer.context["adminform"].form.errors, page
    for page in (
        reverse("admin:nodes_servergroup_add"),
        reverse("admin:nodes_servergroup_change", args=[inside.pk]),
    ):
        top = as_shown(client, page) | {"name": "top", "parent": ""}
        top |= {"roles-TOTAL_FORMS": 0, "roles-INITIAL_FORMS": 0}
        assert client.post(page, top).status_code == 403
    assert not ServerGroup.objects.filter(name="top").exists()


def test_a_group_inside_is_not_taken_out_of_one_that_she_does_not_administer(
    mine: ServerGroup, staff: Any, client: Client, group: ServerGroup
) -> None:
    inside = ServerGroup.objects.create(name="Inside", parent=group)
    GroupRole.objects.create(user=staff, group=inside, role=Role.ADMIN)
    page = reverse("admin:nodes_servergroup_change", args=[inside.pk])
    roles = {"roles-TOTAL_FORMS": 0, "roles-INITIAL_FORMS": 0}
    assert client.post(page, as_shown(client, page) | roles | {"parent": mine.pk}).status_code == 403
    sent(client, page, as_shown(client, page) | roles | {"description": "typed"})
    inside.refresh_from_db()
    assert (inside.parent, inside.description) == (group, "typed")


def test_where_she_is_admin_she_works_as_before(
    mine: ServerGroup, client: Client, group: ServerGroup, viewer: Any
) -> None:
    page = reverse("admin:auth_user_change", args=[viewer.pk])
    text = client.get(page)
    rows = text.context["inline_admin_formsets"][0].formset
    assert list(rows.get_queryset()) == []
    given = {"group_roles-TOTAL_FORMS": 1, "group_roles-0-group": mine.pk, "group_roles-0-role": "operator"}
    sent(client, page, as_shown(client, page) | given)
    assert set(GroupRole.objects.filter(user=viewer).values_list("group", "role")) == {
        (group.pk, "viewer"), (mine.pk, "operator"),
    }  # fmt: skip
    page = reverse("admin:nodes_physicalserver_add")
    form = {"name": "new", "group": mine.pk, "os": "linux", "address": "192.0.2.1", "port": 22}
    sent(client, page, as_shown(client, page) | form)
    row = PhysicalServer.objects.get(name="new")
    client.post(reverse("admin:nodes_physicalserver_delete", args=[row.pk]), {"post": "yes"})
    assert not PhysicalServer.objects.filter(pk=row.pk).exists()
