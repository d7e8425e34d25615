"""Server groups, and who may do what in them and here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.decorators import method_decorator

from nodes.admin.named import Named
from nodes.models import GroupRole, PhysicalServer, ServerGroup
from trust.proof import recently_proved
from trust.proved_admin import ProvedAdmin
from vnetpanel.touched_admin import TouchedAdmin, TouchedInline


class GroupRoleOfGroup(TouchedInline):
    """Roles of a group: whom it is open to."""

    model = GroupRole
    extra = 0
    autocomplete_fields = ("user",)


class GroupRoleOfUser(TouchedInline):
    """Roles of a user: where she may do what."""

    model = GroupRole
    extra = 0
    autocomplete_fields = ("group",)


@admin.register(ServerGroup)
class ServerGroupAdmin(Named, TouchedAdmin, ProvedAdmin):
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

    @admin.display(description="Physical servers", ordering="number_of_servers")
    def servers(self, group: Any) -> int:
        return int(group.number_of_servers)

    @admin.display(description="Roles", ordering="number_of_roles")
    def roles_given(self, group: Any) -> int:
        return int(group.number_of_roles)


@admin.register(GroupRole)
class GroupRoleAdmin(TouchedAdmin, ProvedAdmin):
    """All roles in one list: who may do what where."""

    list_display = ("user", "role", "group")
    list_filter = ("role",)
    list_select_related = ("user", "group")
    search_fields = ("user__username", "user__email", "group__name")
    autocomplete_fields = ("user", "group")
    show_facets = admin.ShowFacets.NEVER


# Imported above, so registered already, although this app comes first in INSTALLED_APPS.
admin.site.unregister((User, Group))


@admin.register(User)
class UserAdmin(Named, TouchedAdmin, ProvedAdmin, auth_admin.UserAdmin):
    """Users with their roles in server groups."""

    name_field = "username"
    inlines = (GroupRoleOfUser,)

    @method_decorator(recently_proved)
    def user_change_password(self, *args: Any, **kwargs: Any) -> Any:
        return super().user_change_password(*args, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Roles are given to a user who exists: the form for a new one asks for name and password only."""
        return self.inlines if obj is not None else ()


@admin.register(Group)
class GroupAdmin(Named, TouchedAdmin, ProvedAdmin, auth_admin.GroupAdmin):
    """Permissions in this administration that users are given together."""
