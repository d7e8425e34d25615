"""Server groups, and who may do what in them and here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.decorators import method_decorator

from nodes.admin.by_role import ByRole, ChoicesByRole
from nodes.admin.named import Named
from nodes.choices import Role
from nodes.models import GroupRole, PhysicalServer, ServerGroup
from nodes.querysets import has_role
from trust.proof import recently_proved
from trust.proved_admin import ProvedAdmin
from vnetpanel.touched_admin import TouchedAdmin, TouchedInline


class GroupRoleOfGroup(TouchedInline):
    """Roles of a group: whom it is open to."""

    model = GroupRole
    extra = 0
    autocomplete_fields = ("user",)


class GroupRoleOfUser(ChoicesByRole, TouchedInline):
    """Roles of a user: where she may do what."""

    model = GroupRole
    extra = 0
    autocomplete_fields = ("group",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those that are given and taken by who asks."""
        return (
            super().get_queryset(request).filter(group__in=ServerGroup.objects.administered_by(request.user))
        )


@admin.register(ServerGroup)
class ServerGroupAdmin(Named, ByRole, TouchedAdmin, ProvedAdmin):
    """Groups in the order of the tree's names."""

    list_display = ("name", "parent", "servers", "roles_given", "description")
    list_select_related = ("parent",)
    search_fields = ("name", "description")
    autocomplete_fields = ("parent",)
    inlines = (GroupRoleOfGroup,)
    show_facets = admin.ShowFacets.NEVER

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        servers = PhysicalServer.objects.filter(group=OuterRef("pk")).order_by().values("group")
        roles = GroupRole.objects.filter(group=OuterRef("pk")).order_by().values("group")
        return (
            super()
            .get_queryset(request)
            .select_related("parent")
            .annotate(
                number_of_servers=Coalesce(Subquery(servers.annotate(n=Count("pk")).values("n")), 0),
                number_of_roles=Coalesce(Subquery(roles.annotate(n=Count("pk")).values("n")), 0),
            )
        )

    def group_of(self, row: ServerGroup) -> ServerGroup:
        return row

    def save_model(self, request: HttpRequest, obj: ServerGroup, form: Any, change: bool) -> None:
        """Roles are inherited: it is moved by who is admin on both sides. The top belongs to superusers."""
        if not change or "parent" in form.changed_data:
            before = form.initial.get("parent") if change else obj.parent_id
            for pk in (before, obj.parent_id):
                if not has_role(request.user, Role.ADMIN, ServerGroup.objects.filter(pk=pk or 0).first()):
                    raise PermissionDenied(
                        "You need the role admin where the server group is and where it goes."
                    )
        super().save_model(request, obj, form, change)

    @admin.display(description="Physical servers", ordering="number_of_servers")
    def servers(self, group: Any) -> int:
        return int(group.number_of_servers)

    @admin.display(description="Roles", ordering="number_of_roles")
    def roles_given(self, group: Any) -> int:
        return int(group.number_of_roles)


@admin.register(GroupRole)
class GroupRoleAdmin(ByRole, TouchedAdmin, ProvedAdmin):
    """All roles in one list: who may do what where."""

    list_display = ("user", "role", "group")
    list_filter = ("role",)
    list_select_related = ("user", "group")
    search_fields = ("user__username", "user__email", "group__name")
    autocomplete_fields = ("user", "group")
    show_facets = admin.ShowFacets.NEVER


class _RightsBySuperusers(admin.ModelAdmin):
    """Whoever may change users could otherwise make herself a superuser."""

    rights: tuple[str, ...] = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if _is_superuser(request) else (*fields, *self.rights)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


# Imported above, so registered already, although this app comes first in INSTALLED_APPS.
admin.site.unregister((User, Group))


@admin.register(User)
class UserAdmin(Named, TouchedAdmin, ProvedAdmin, _RightsBySuperusers, auth_admin.UserAdmin):
    """Users with their roles in server groups."""

    name_field = "username"
    rights = ("is_staff", "is_superuser", "groups", "user_permissions")
    inlines = (GroupRoleOfUser,)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _is_below(obj, request)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_below(obj, request)

    @method_decorator(recently_proved)
    def user_change_password(self, *args: Any, **kwargs: Any) -> Any:
        return super().user_change_password(*args, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Roles are given to a user who exists: the form for a new one asks for name and password only."""
        return self.inlines if obj is not None else ()


def _is_below(user: User | None, request: HttpRequest) -> bool:
    """By another password she could work as whoever may work here: only superusers change those accounts."""
    return user is None or _is_superuser(request) or not (user.is_staff or user.is_superuser)


@admin.register(Group)
class GroupAdmin(Named, TouchedAdmin, ProvedAdmin, _RightsBySuperusers, auth_admin.GroupAdmin):
    """Permissions in this administration that users are given together."""

    rights = ("permissions",)
