"""Server groups: made, renamed and moved, removed."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from nodes.choices import Role
from nodes.models import ServerGroup
from nodes.querysets import AnyUser, has_role
from nodes.services.errors import NotAllowed, ServiceError, check, refused_if_in_use, require_role

CHANGEABLE = frozenset({"name", "description", "parent"})


def create_group(
    user: AnyUser, name: str, parent: ServerGroup | None = None, description: str = ""
) -> ServerGroup:
    """Make a group; in a parent this needs its admin role, at the top a superuser."""
    require_role(user, Role.ADMIN, parent)
    return _save(ServerGroup(name=name.strip(), parent=parent, description=description.strip()))


def change_group(user: AnyUser, group: ServerGroup, **changes: Any) -> ServerGroup:
    """Change a group's `name`, `description` or `parent`, all or nothing; needs the admin role in it.

    Another `parent` (None: the top) takes along all that is in the group. Roles are inherited, so this needs
    the admin role on both sides: of where it is and where it goes.
    """
    if unknown := changes.keys() - CHANGEABLE:
        raise TypeError(f"not changeable: {', '.join(sorted(unknown))}")
    require_role(user, Role.ADMIN, group)
    with transaction.atomic():
        # All groups are locked: two moves at once could otherwise put two groups into each other.
        rows = {row.pk: row for row in ServerGroup.objects.select_for_update()}
        parent = changes.get("parent")
        if group.pk not in rows or (parent is not None and parent.pk not in rows):
            raise ServiceError("The server group was removed meanwhile.")
        changed = rows[group.pk]
        if "parent" in changes and parent != changed.parent:
            require_role(user, Role.ADMIN, changed.parent)
            require_role(user, Role.ADMIN, parent)
            changed.parent = rows[parent.pk] if parent is not None else None
        changed.name = changes.get("name", changed.name).strip()
        changed.description = changes.get("description", changed.description).strip()
        return _save(changed)


def remove_group(user: AnyUser, group: ServerGroup) -> None:
    """Remove an empty group; one with groups, servers or credentials in it is refused, naming them.

    Needs the admin role in it, at the top a superuser.
    """
    require_role(user, Role.ADMIN, group)
    if not may_remove(user, group):
        raise NotAllowed("Only a superuser may remove a server group at the top.")
    with transaction.atomic(), refused_if_in_use(f"The server group {group}"):
        group.delete()


def may_remove(user: AnyUser, group: ServerGroup) -> bool:
    """Whether the user may remove the group, once it is empty."""
    return has_role(user, Role.ADMIN, group if group.parent_id else None)


def _save(group: ServerGroup) -> ServerGroup:
    if not group.name:
        raise ServiceError("Enter a name for the server group.", "name")
    taken = ServiceError(
        f'There is a server group named "{group.name}" {_place(group)} already. Enter another name.', "name"
    )
    twins = ServerGroup.objects.filter(name=group.name, parent=group.parent).exclude(pk=group.pk)
    if twins.exists():
        raise taken
    check(group, exclude=("path",))
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError:
        raise taken from None
    return group


def _place(group: ServerGroup) -> str:
    return f"in {group.parent}" if group.parent else "at the top"
