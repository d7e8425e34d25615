"""Rows inside a page of the administration, logins and permissions: what was touched is stored, no more."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from nodes.models import Adapter, Credential, GroupRole, PhysicalServer, ServerGroup
from tests.nodes.test_stale_admin_forms import HIDDEN, as_shown, sent

pytestmark = pytest.mark.django_db


def with_rows(office: Client, address: str) -> dict[str, Any]:
    """What a browser sends when nothing was touched, the rows inside the page included."""
    page = office.get(address)
    shown = as_shown(office, address)
    for inline in page.context["inline_admin_formsets"]:
        shown |= dict(HIDDEN.findall(str(inline.formset.management_form)))
        for form in inline.formset.forms:
            for bound in form:
                value = bound.value()
                if value is not None and value is not False:
                    shown[bound.html_name] = value
    return shown


@pytest.fixture
def page(group: ServerGroup) -> str:
    return reverse("admin:nodes_servergroup_change", args=[group.pk])


def roles(group: ServerGroup) -> dict[str, str]:
    return dict(GroupRole.objects.filter(group=group).values_list("user__username", "role"))


@pytest.mark.parametrize("of", ["group", "user"])
def test_a_role_that_was_taken_down_meanwhile_stays_so(
    office: Client, group: ServerGroup, group_admin: Any, of: str
) -> None:
    address = {
        "group": reverse("admin:nodes_servergroup_change", args=[group.pk]),
        "user": reverse("admin:auth_user_change", args=[group_admin.pk]),
    }[of]
    form = with_rows(office, address)
    GroupRole.objects.update(role="viewer")
    sent(office, address, form | {"description": "typed", "email": "g@example.org"})
    assert roles(group) == {"gina": "viewer"}


def test_only_the_row_and_the_column_that_were_touched_are_stored(
    office: Client, group: ServerGroup, page: str, group_admin: Any, viewer: Any, alice: Any
) -> None:
    form = with_rows(office, page)
    row = GroupRole.objects.get(user=viewer)
    GroupRole.objects.filter(user=viewer).update(user=alice)
    GroupRole.objects.filter(user=group_admin).update(role="viewer")
    key = next(name for name, value in form.items() if name.endswith("-id") and str(value) == str(row.pk))
    sent(office, page, form | {key.replace("-id", "-role"): "operator"})
    assert roles(group) == {"gina": "viewer", "alice": "operator"}


def test_a_role_that_was_taken_away_meanwhile_stays_away(
    office: Client, group: ServerGroup, page: str, group_admin: Any, viewer: Any
) -> None:
    form = with_rows(office, page)
    GroupRole.objects.filter(user=group_admin).delete()
    sent(office, page, form | {"description": "typed"})
    group.refresh_from_db()
    assert group.description == "typed" and roles(group) == {"vera": "viewer"}


def test_who_changed_a_role_that_was_taken_away_meanwhile_is_told(
    office: Client, group: ServerGroup, page: str, group_admin: Any, viewer: Any
) -> None:
    form = with_rows(office, page) | {"roles-0-role": "operator", "description": "typed"}
    GroupRole.objects.filter(user=group_admin).delete()
    answer = office.post(page, form)
    assert "removed meanwhile" in answer.text and roles(group) == {"vera": "viewer"}
    rows = answer.context["inline_admin_formsets"][0].formset.initial_forms
    assert [form.instance.user for form in rows] == [viewer]
    again = with_rows(office, page) | {"description": "typed"}
    sent(office, page, again)
    assert roles(group) == {"vera": "viewer"}


def test_roles_are_given_changed_and_taken_away_as_before(
    office: Client, group: ServerGroup, page: str, group_admin: Any, viewer: Any, alice: Any
) -> None:
    form = with_rows(office, page) | {"roles-0-role": "operator", "roles-1-DELETE": "on"}
    form |= {"roles-TOTAL_FORMS": 3, "roles-2-user": alice.pk, "roles-2-role": "viewer"}
    sent(office, page, form)
    assert roles(group) == {"gina": "operator", "alice": "viewer"}


def test_two_roles_of_one_user_are_refused_with_a_sentence(
    office: Client, group: ServerGroup, page: str, group_admin: Any, viewer: Any, alice: Any
) -> None:
    form = with_rows(office, page) | {"roles-0-user": alice.pk, "roles-TOTAL_FORMS": 3}
    answer = office.post(page, form | {"roles-2-user": alice.pk, "roles-2-role": "viewer"})
    assert "duplicate" in answer.text and roles(group) == {"gina": "admin", "vera": "viewer"}


def test_rows_that_nobody_touched_are_not_written(
    office: Client, page: str, group_admin: Any, viewer: Any
) -> None:
    form = with_rows(office, page)
    with CaptureQueriesContext(connection) as captured:
        sent(office, page, form | {"description": "typed"})
    assert not [query["sql"] for query in captured if query["sql"].startswith('UPDATE "nodes_grouprole"')]


def test_an_adapter_on_its_servers_page_keeps_what_others_decided_meanwhile(
    office: Client, windows: PhysicalServer
) -> None:
    adapter = Adapter.objects.create(server=windows, name="Ethernet 1", origin="entered")
    address = reverse("admin:nodes_physicalserver_change", args=[windows.pk])
    form = with_rows(office, address)
    Adapter.objects.filter(pk=adapter.pk).update(mac="02:00:00:00:00:01", mtu=9000)
    sent(office, address, form | {"adapters-0-name": "Ethernet 2"})
    adapter.refresh_from_db()
    assert (adapter.name, adapter.mac, adapter.mtu) == ("Ethernet 2", "02:00:00:00:00:01", 9000)


def test_on_its_servers_page_a_vlan_adapter_is_offered_that_servers_adapters(
    office: Client, windows: PhysicalServer
) -> None:
    other = PhysicalServer.objects.create(name="w2", group=windows.group, address="192.0.2.7", os="windows")
    nic, _ = (Adapter.objects.create(server=s, name="Ethernet 1", origin="entered") for s in (windows, other))
    page = office.get(reverse("admin:nodes_physicalserver_change", args=[windows.pk]))
    offered = page.context["inline_admin_formsets"][0].formset.empty_form.fields["base"].queryset
    assert list(offered) == [nic]


def test_a_login_keeps_what_others_stored_meanwhile(
    office: Client, group: ServerGroup, credential: Credential
) -> None:
    address = reverse("admin:nodes_credential_change", args=[credential.pk])
    form = as_shown(office, address)
    assert "s3cret-pw" not in form.values()
    assert not [name for name in form if name.startswith("initial-new_")]
    elsewhere = ServerGroup.objects.create(name="Elsewhere")
    now = Credential.objects.get(pk=credential.pk)
    now.username, now.group, now.password = "panel", elsewhere, "other-s3cret"
    now.save()
    changed_at = now.changed_at
    sent(office, address, form | {"name": "renamed"})
    now.refresh_from_db()
    assert (now.name, now.username, now.group, now.password) == (
        "renamed", "panel", elsewhere, "other-s3cret",
    )  # fmt: skip
    assert now.changed_at > changed_at


def test_a_secret_alone_is_stored_with_nothing_else(office: Client, credential: Credential) -> None:
    address = reverse("admin:nodes_credential_change", args=[credential.pk])
    form = as_shown(office, address)
    Credential.objects.filter(pk=credential.pk).update(username="panel")
    sent(office, address, form | {"new_password": "typed-s3cret"})
    credential = Credential.objects.get(pk=credential.pk)
    assert (credential.username, credential.password) == ("panel", "typed-s3cret")


def test_a_secret_that_is_refused_is_not_shown_by_what_the_page_sends_along(
    office: Client, credential: Credential
) -> None:
    address = reverse("admin:nodes_credential_change", args=[credential.pk])
    form = as_shown(office, address) | {
        "name": "",
        "new_password": "typed-s3cret",
        "new_private_key": "typed-k",
    }
    answer = office.post(address, form)
    assert answer.status_code == 200 and "typed-" not in answer.text


def test_permissions_that_others_gave_and_took_away_meanwhile_stay_so(office: Client) -> None:
    auditors = Group.objects.create(name="auditors")
    kept, taken, given, mine = Permission.objects.order_by("pk")[:4]
    auditors.permissions.set([kept, taken])
    address = reverse("admin:auth_group_change", args=[auditors.pk])
    form = as_shown(office, address) | {"initial-permissions": [kept.pk, taken.pk]}
    auditors.permissions.set([kept, given])
    sent(office, address, form | {"permissions": [kept.pk, taken.pk, mine.pk]})
    assert set(auditors.permissions.all()) == {kept, given, mine}
    form = as_shown(office, address) | {"initial-permissions": [kept.pk, given.pk, mine.pk]}
    auditors.permissions.add(taken)
    sent(office, address, form | {"permissions": [mine.pk]})
    assert set(auditors.permissions.all()) == {taken, mine}


def test_a_choice_that_is_none_any_more_does_not_stop_the_rest(
    office: Client, server: PhysicalServer, credential: Credential
) -> None:
    address = reverse("admin:nodes_physicalserver_change", args=[server.pk])
    form = as_shown(office, address)
    other = Credential.objects.create(name="other", username="root", password="x")
    PhysicalServer.objects.filter(pk=server.pk).update(credential=other)
    credential.delete()
    again = office.post(address, form | {"port": 0, "description": "typed"})
    assert again.status_code == 200 and "credential" not in again.context["adminform"].form.errors
    sent(office, address, form | {"description": "typed"})
    server.refresh_from_db()
    assert (server.description, server.credential) == ("typed", other)


def test_a_group_with_nearly_two_hundred_roles_is_stored(
    office: Client, group: ServerGroup, page: str, django_user_model: Any
) -> None:
    users = django_user_model.objects.bulk_create(django_user_model(username=f"u{n}") for n in range(180))
    GroupRole.objects.bulk_create(GroupRole(user=user, group=group) for user in users)
    sent(office, page, with_rows(office, page) | {"roles-7-role": "admin"})
    assert list(roles(group).values()).count("admin") == 1
