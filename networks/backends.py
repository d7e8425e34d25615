"""Logging in, with draft and roles at hand: every page shows how much is pending, of what she may see.

And with the second factor: every request asks whether its session gave a code.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User

from nodes.querysets import with_group_roles


class UserWithDraft(ModelBackend):
    """Django's own backend; the user of a request comes with draft, roles and second factor in one query."""

    def get_user(self, user_id: Any) -> User | None:
        """The active user of that key, or None."""
        users = User.objects.select_related("draft", "two_factor").defer("two_factor__secret")
        user = with_group_roles(users).filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
