"""Who may do what where."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from nodes.choices import Role
from nodes.models.groups import ServerGroup


class GroupRole(models.Model):
    """A user's role in a server group; it holds for every group below as well."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="group_roles")
    group = models.ForeignKey(ServerGroup, on_delete=models.CASCADE, related_name="roles")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "group"), name="one_role_per_user_and_group"),)

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()} in {self.group}"
