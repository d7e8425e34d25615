"""Server groups: made, renamed, moved, removed."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from nodes.choices import Role
from nodes.models import ServerGroup
from nodes.querysets import AnyUser
from nodes.services.errors import NotAllowed, ServiceError, check, refused_if_in_use, require_role


def create_group(
    user: AnyUser, name: str, parent: ServerGroup | None = None, description: str = ""
) -> ServerGroup:
    """Make a group; in a parent this needs its admin role, at the top a superuser."""
    require_role(user, Role.ADMIN, parent)
    return _save(ServerGroup(name=name.strip(), parent=parent, description=description.strip()))


def rename_group(user: AnyUser, group: ServerGroup, name: str, description: str | None = None) -> ServerGroup:
    """Give a group another name and, if one is given, another description."""
    require_role(user, Role.ADMIN, group)
    group.name = name.strip()
    if description is not None:
        group.description = description.strip()
    return _save(group)


def move_group(user: AnyUser, group: ServerGroup, parent: ServerGroup | None) -> ServerGroup:
    """Put a group, with all that is in it, into another one or (None) to the top.

    Roles are inherited, so this needs the admin role on both sides: of where it is and where it goes.
    """
    require_role(user, Role.ADMIN, group.parent)
    require_role(user, Role.ADMIN, group)
    require_role(user, Role.ADMIN, parent)
    with transaction.atomic():
        # All groups are locked: two moves at once could otherwise put two groups into each other.
        rows = {row.pk: row for row in ServerGroup.objects.select_for_update()}
        if group.pk not in rows or (parent is not None and parent.pk not in rows):
            raise ServiceError("The server group was removed meanwhile.")
        moved = rows[group.pk]
        moved.parent = rows[parent.pk] if parent is not None else None
        return _save(moved)


def remove_group(user: AnyUser, group: ServerGroup) -> None:
    """Remove an empty group; one with groups, servers or credentials in it is refused, naming them."""
    require_role(user, Role.ADMIN, group)
    if group.parent is None and not getattr(user, "is_superuser", False):
        raise NotAllowed("Only a superuser may remove a server group at the top.")
    with transaction.atomic(), refused_if_in_use(f"The server group {group}"):
        group.delete()


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
