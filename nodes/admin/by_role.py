"""Staff without superuser status: a permission says what she may do here, her role in which server groups."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from nodes.choices import Role
from nodes.models import Credential, ServerGroup
from nodes.querysets import has_role
from vnetpanel.panel_admin import PanelAdmin, PanelPart


class ChoicesByRole(PanelPart):
    """Only server groups that she administers are chosen, and logins that she may use."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.related_model is ServerGroup:
            kwargs["queryset"] = ServerGroup.objects.administered_by(request.user)
        if db_field.related_model is Credential:
            kwargs["queryset"] = Credential.objects.visible_to(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ByRole(ChoicesByRole, PanelAdmin):
    """What is in other server groups is for reading."""

    def group_of(self, row: Any) -> ServerGroup | None:
        """The server group whose admins change the row; None: superusers do."""
        return row.group

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._administers(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._administers(request, obj)

    def _administers(self, request: HttpRequest, row: Any) -> bool:
        return row is None or has_role(request.user, Role.ADMIN, self.group_of(row))
