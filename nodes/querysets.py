"""What a user may see and change: every view, service and API call starts from these querysets.

Roles are per server group and hold for all groups below it. What a user may not see does not exist for
her: views answer 404.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeAlias

from django.db import models
from django.db.models import Aggregate, CharField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat

from nodes.choices import Role

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

AnyUser: TypeAlias = "AbstractBaseUser | AnonymousUser"

_RANK = {Role.VIEWER: 1, Role.OPERATOR: 2, Role.ADMIN: 3}


class _InOneText(Aggregate):
    """Texts of several rows in one; what each database calls it."""

    function = "GROUP_CONCAT"
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(compiler, connection, function="STRING_AGG", **more)


def with_group_roles(users: QuerySet[User]) -> QuerySet[User]:
    """Users that bring their roles along, in the same query: `group_paths` asks none for them."""
    from nodes.models import GroupRole

    words = _InOneText(Concat("role", Value(":"), "group__path"), Value(" "))
    found = GroupRole.objects.filter(user=OuterRef("pk")).order_by().values("user").annotate(words=words)
    return users.annotate(group_roles_text=Subquery(found.values("words")))


def _group_roles(user: AnyUser) -> list[tuple[str, str]]:
    """(role, path of its group) of each role. One query per user object, or none: `with_group_roles`."""
    if hasattr(user, "group_roles_text"):
        words = (user.group_roles_text or "").split()
        return [(role, path) for role, _, path in (word.partition(":") for word in words)]
    roles: list[tuple[str, str]] | None = user.__dict__.get("_group_roles")
    if roles is None:
        from nodes.models import GroupRole

        rows = GroupRole.objects.filter(user_id=user.pk or 0)
        roles = user.__dict__["_group_roles"] = list(rows.values_list("role", "group__path"))
    return roles


def group_paths(user: AnyUser, role: Role) -> tuple[str, ...]:
    """Paths of the groups where the user has at least that role."""
    return tuple(path for given, path in _group_roles(user) if _RANK[Role(given)] >= _RANK[role])


def with_role(user: AnyUser, role: Role, group_path: str) -> Q:
    """Rows in groups where the user has at least that role, however their group is reached from them."""
    if not getattr(user, "is_active", False):
        return Q(pk__in=[])
    if getattr(user, "is_superuser", False):
        return Q()
    condition = Q(pk__in=[])
    for path in group_paths(user, role):
        condition |= Q(**{f"{group_path}__startswith": path})
    return condition


def has_role(user: AnyUser, role: Role, group: Any) -> bool:
    """Whether the user has at least that role in the group; None: whether she is a superuser."""
    if not getattr(user, "is_active", False):
        return False
    if getattr(user, "is_superuser", False):
        return True
    return group is not None and any(group.path.startswith(path) for path in group_paths(user, role))


def sees_everything(user: AnyUser) -> bool:
    """Whether she may see every server group: of which one a removed server was, nobody knows any more."""
    if not getattr(user, "is_active", False):
        return False
    if getattr(user, "is_superuser", False):
        return True
    from nodes.models import ServerGroup

    return not ServerGroup.objects.exclude(pk__in=ServerGroup.objects.visible_to(user)).exists()


MOST_LOOKED_UP = 100_000
"""Pairs of server and name: more take longer to look up than all that is on the servers to read."""


def named_on(keys: Collection[tuple[int, str]], server: str = "server_id", name: str = "ctid") -> Q:
    """Rows with those (server, name), and some others on those servers: whoever asks picks.

    A database looks up each name on each server, though nearly none of them is there: a container's id may be
    a UUID. `server` and `name` lead to them from the rows.
    """
    servers, names = {key for key, _ in keys}, {key for _, key in keys}
    condition = Q(**{f"{server}__in": servers})
    if len(servers) * len(names) <= MOST_LOOKED_UP:
        condition &= Q(**{f"{name}__in": names})
    return condition


class AccessQuerySet(models.QuerySet[Any]):
    """A queryset that can be narrowed to what a user has a role for; `group_path` leads to the group."""

    group_path = "path"

    def with_role(self, user: AnyUser, role: Role) -> Self:
        """Rows in groups where the user has at least that role; all for an active superuser."""
        return self.filter(with_role(user, role, self.group_path))

    def visible_to(self, user: AnyUser) -> Self:
        return self.with_role(user, Role.VIEWER)

    def operable_by(self, user: AnyUser) -> Self:
        return self.with_role(user, Role.OPERATOR)

    def administered_by(self, user: AnyUser) -> Self:
        return self.with_role(user, Role.ADMIN)


class ServerGroupQuerySet(AccessQuerySet):
    """Server groups."""

    def inside(self, group: Any) -> Self:
        """The group itself and all groups below it."""
        return self.filter(path__startswith=group.path)


class CredentialQuerySet(AccessQuerySet):
    """Credentials: only admins of their group see that they exist."""

    group_path = "group__path"

    def visible_to(self, user: AnyUser) -> Self:
        return self.with_role(user, Role.ADMIN)


class PhysicalServerQuerySet(AccessQuerySet):
    """Physical servers."""

    group_path = "group__path"

    def inside(self, group: Any) -> Self:
        """Servers of the group and of all groups below it."""
        return self.filter(group__path__startswith=group.path)


class ServerPartQuerySet(AccessQuerySet):
    """Things that belong to one server: bridges, containers."""

    group_path = "server__group__path"

    def present(self) -> Self:
        """Without what has vanished from its server."""
        return self.filter(gone_at=None)


class AdapterQuerySet(ServerPartQuerySet):
    """Network adapters."""

    def with_wire(self) -> Self:
        """With the physical segment of NICs, bonds and, by their base, of VLANs, in one query."""
        return self.select_related("segment", "base__segment")


class ContainerInterfaceQuerySet(AccessQuerySet):
    """Container interfaces."""

    group_path = "container__server__group__path"

    def present(self) -> Self:
        return self.filter(gone_at=None, container__gone_at=None)
