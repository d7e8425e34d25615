"""Keys that no row has, in whatever a browser sends to the administration: refused, never an error page."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import Client
from django.urls import reverse

from nodes.models import PhysicalServer, ServerGroup
from tests.nodes.test_stale_admin_forms import as_shown
from tests.pages.test_nul import as_postgresql

pytestmark = pytest.mark.django_db

NO_KEYS = ("abc", "9" * 30, "-1", "", "²")
QUERIES = (
    "pk__in", "id__in", "id__gt", "server__in", "group__id__exact", "segment__id__exact", "p", "o", "all",
    "e", "_to_field",
)  # fmt: skip
LISTS = [f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in site._registry]


@pytest.mark.parametrize("key", NO_KEYS)
def test_as_what_an_action_is_done_to(office: Client, server: PhysicalServer, key: str) -> None:
    for page in LISTS:
        for action in ("delete_selected", "look_now", "read_host_keys", "approve", "refuse"):
            body = {
                "action": action,
                "_selected_action": [key, str(server.pk)][: 1 if key else 2],
                "post": "yes",
            }
            assert office.post(reverse(page), body).status_code in (200, 302, 403), (page, action)
    assert PhysicalServer.objects.filter(pk=server.pk).exists()


@pytest.mark.parametrize("key", NO_KEYS)
def test_as_a_choice(
    office: Client, server: PhysicalServer, group: ServerGroup, viewer: Any, key: str
) -> None:
    adds = [
        "admin:nodes_physicalserver_add", "admin:nodes_servergroup_add", "admin:nodes_credential_add",
        "admin:nodes_grouprole_add", "admin:nodes_adapter_add",
    ]  # fmt: skip
    addresses = [reverse(page) for page in adds]
    addresses.append(reverse("admin:nodes_physicalserver_change", args=[server.pk]))
    addresses.append(reverse("admin:nodes_servergroup_change", args=[group.pk]))
    addresses.append(reverse("admin:auth_user_change", args=[viewer.pk]))
    choices = ("group", "credential", "parent", "user", "server", "base", "segment", "group_roles-0-group",
               "roles-0-user")  # fmt: skip
    for address in addresses:
        assert office.get(address, dict.fromkeys(choices, key)).status_code == 200, address
        body = as_shown(office, address) | dict.fromkeys(choices, key) | {"name": ""}
        assert office.post(address, body).status_code in (200, 302), address


@pytest.mark.parametrize("key", NO_KEYS)
def test_in_filters_addresses_and_searches(office: Client, server: PhysicalServer, key: str) -> None:
    for page in LISTS:
        for query in QUERIES:
            answer = office.get(reverse(page), {query: key})
            assert answer.status_code in (200, 302, 400), (page, query)
    for model in site._registry:
        for page in ("change", "delete", "history"):
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
            if key:
                assert office.get(reverse(name, args=[key])).status_code in (302, 403, 404), name


def test_nul_in_searches(office: Client, server: PhysicalServer) -> None:
    with connection.execute_wrapper(as_postgresql):
        for page in LISTS:
            assert office.get(reverse(page), {"q": "a\0b"}).status_code == 200
        query = {"app_label": "nodes", "model_name": "grouprole", "field_name": "user", "term": "a\0b"}
        assert office.get(reverse("admin:autocomplete"), query).status_code == 200
