"""Second factors, groups of permissions and the panel's own logins ask for the password again there."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from networks.services.preparing import store_login
from nodes.models import DedicatedLogin
from tests.networks.conftest import Scene, scene
from tests.trust.conftest import clock, code_now
from trust import two_factor
from trust.models import TwoFactor

__all__ = ["clock", "scene"]

pytestmark = pytest.mark.django_db
PROOF_S = 10 * 60 + 1


@pytest.fixture
def rows(alice: Any, scene: Scene) -> list[Any]:
    """A second factor, a group of permissions, and a login that the panel made for itself."""
    two_factor.confirm(alice, secret := two_factor.new_secret(), code_now(secret))
    group = Group.objects.create(name="Auditors")
    store_login(scene.server2, "192.0.2.1", "nobody")
    return [TwoFactor.objects.get(user=alice), group, DedicatedLogin.objects.get()]


def page(row: Any, name: str, *args: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}", args=args)


def test_they_are_taken_away_only_by_who_has_proved_it_lately(
    client: Client, admin: Any, rows: list[Any], clock: Any
) -> None:
    client.force_login(admin)
    clock.shift(PROOF_S)
    for row in rows:
        posted = {
            page(row, "delete", row.pk): {"post": "yes"},
            page(row, "changelist"): {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"},
        }
        for address, body in posted.items():
            assert client.post(address, body)["Location"].startswith("/prove/?next="), address
        assert type(row).objects.filter(pk=row.pk).exists()
        assert client.get(page(row, "changelist")).status_code == 200


def test_a_group_is_given_no_permission_by_who_has_not(
    client: Client, admin: Any, rows: list[Any], clock: Any
) -> None:
    group = rows[1]
    client.force_login(admin)
    clock.shift(PROOF_S)
    for address in (page(group, "change", group.pk), page(group, "add")):
        assert client.get(address)["Location"].startswith("/prove/?next=")
        assert client.post(address, {"name": "x"})["Location"].startswith("/prove/?next=")
    assert list(Group.objects.values_list("name", flat=True)) == ["Auditors"]


def test_they_work_as_before_for_who_has(client: Client, admin: Any, rows: list[Any]) -> None:
    client.force_login(admin)
    group = rows[1]
    assert "Permissions" in client.get(page(group, "change", group.pk)).text
    for row in rows:
        client.post(page(row, "delete", row.pk), {"post": "yes"})
        assert not type(row).objects.filter(pk=row.pk).exists()
