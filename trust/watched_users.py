"""What is recorded about users: who they are, what they may do, that a password changed."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User
from django.db.models.signals import m2m_changed

from trust.audit import record
from trust.models import TwoFactor
from trust.watch import watch

watch(
    User,
    ("username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser"),
    secrets=("password",),
)
watch(Group, ("name",))
watch(TwoFactor, ("confirmed_at",))


def permissions_changed(
    sender: Any, instance: Any, action: str, model: Any, pk_set: Any, **kwargs: Any
) -> None:
    """Groups and permissions of a user, or permissions of a group, from whichever side they are changed."""
    done = {"post_add": "were given", "post_remove": "were taken away", "post_clear": "were all taken away"}
    if action not in done or (pk_set is not None and not pk_set):
        return
    names = ", ".join(str(one) for one in model._default_manager.filter(pk__in=pk_set or ()))
    of = f"{instance._meta.verbose_name} {instance}"
    record(
        "permissions.changed", f"Of {of} these {done[action]}: {names or model._meta.verbose_name_plural}."
    )


for relation in (User.groups.through, User.user_permissions.through, Group.permissions.through):
    m2m_changed.connect(permissions_changed, sender=relation, weak=False)
