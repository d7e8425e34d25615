"""Server groups: made, renamed, moved, removed."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.models import GroupRole, PhysicalServer, ServerGroup
from nodes.services import NotAllowed, ServiceError, change_group, create_group, remove_group

pytestmark = pytest.mark.django_db


def test_a_superuser_makes_a_group_at_the_top(admin: Any) -> None:
    group = create_group(admin, " Hamburg ", description="Port")
    assert (group.name, group.description, group.path) == ("Hamburg", "Port", f"/{group.pk}/")


def test_an_admin_of_a_group_makes_one_in_it_but_none_at_the_top(
    group: ServerGroup, group_admin: Any
) -> None:
    inner = create_group(group_admin, "Rack 1", group)
    assert inner.path == f"/{group.pk}/{inner.pk}/"
    with pytest.raises(NotAllowed):
        create_group(group_admin, "Hamburg")


@pytest.mark.parametrize("who", ["viewer", "operator", "alice"])
def test_lesser_roles_may_not(request: pytest.FixtureRequest, group: ServerGroup, who: str) -> None:
    user = request.getfixturevalue(who)
    for attempt in (
        lambda: create_group(user, "Rack 1", group),
        lambda: change_group(user, group, name="Bonn"),
        lambda: change_group(user, group, parent=None),
        lambda: remove_group(user, group),
    ):
        with pytest.raises(NotAllowed):
            attempt()
    group.refresh_from_db()
    assert group.name == "Berlin"


def test_a_name_is_unique_where_it_is(group: ServerGroup, admin: Any) -> None:
    create_group(admin, "Rack 1", group)
    with pytest.raises(ServiceError, match="Rack 1") as caught:
        create_group(admin, "Rack 1", group)
    assert caught.value.field == "name"
    assert create_group(admin, "Rack 1").parent is None


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_bad_name_is_refused(admin: Any, name: str) -> None:
    with pytest.raises(ServiceError) as caught:
        create_group(admin, name)
    assert caught.value.field == "name"


def test_a_move_takes_all_below_along_and_roles_follow(
    group: ServerGroup, server: PhysicalServer, admin: Any, alice: Any
) -> None:
    inner = create_group(admin, "Rack 1", group)
    other = create_group(admin, "Hamburg")
    GroupRole.objects.create(user=alice, group=other, role="viewer")
    assert not ServerGroup.objects.visible_to(alice).filter(pk=inner.pk).exists()
    change_group(admin, group, parent=other)
    inner.refresh_from_db()
    assert inner.path == f"/{other.pk}/{group.pk}/{inner.pk}/"
    assert PhysicalServer.objects.visible_to(alice).get() == server


def test_a_group_is_not_moved_into_itself(group: ServerGroup, admin: Any) -> None:
    inner = create_group(admin, "Rack 1", group)
    with pytest.raises(ServiceError, match="inside itself"):
        change_group(admin, group, parent=inner)
    with pytest.raises(ServiceError, match="inside itself"):
        change_group(admin, group, parent=group)


def test_a_move_needs_the_admin_role_on_both_sides(group: ServerGroup, admin: Any, group_admin: Any) -> None:
    inner = create_group(admin, "Rack 1", group)
    foreign = create_group(admin, "Hamburg")
    with pytest.raises(NotAllowed):
        change_group(group_admin, inner, parent=foreign)


def test_a_group_in_use_is_not_removed(group: ServerGroup, server: PhysicalServer, admin: Any) -> None:
    with pytest.raises(ServiceError, match="server1"):
        remove_group(admin, group)
    empty = create_group(admin, "Rack 1", group)
    remove_group(admin, empty)
    assert not ServerGroup.objects.filter(pk=empty.pk).exists()
