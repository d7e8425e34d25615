"""What a use case answers when it cannot do what was asked, and the checks that all of them share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.db.models import ProtectedError, RestrictedError

from nodes.choices import Role
from nodes.models import ServerGroup
from nodes.querysets import AnyUser

NAMED_USERS = 10


class ServiceError(Exception):
    """It cannot be done; `message` says why in the user's words, `field` names the input at fault, if any."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class NotAllowed(ServiceError):
    """The user may see the thing but lacks the role that doing this needs."""


def require_role(user: AnyUser, role: Role, group: ServerGroup | None) -> None:
    """Raise NotAllowed unless the user has at least that role in the group (None: unless a superuser)."""
    if group is None:
        if not (getattr(user, "is_active", False) and getattr(user, "is_superuser", False)):
            raise NotAllowed("Only a superuser may do this outside of all server groups.")
        return
    if not ServerGroup.objects.with_role(user, role).filter(pk=group.pk).exists():
        raise NotAllowed(f'This needs the role "{Role(role).label}" in the server group {group}.')


def check(instance: models.Model, *, exclude: Iterable[str] = ()) -> None:
    """Validate a model instance as a form would; the first complaint becomes a ServiceError."""
    try:
        instance.full_clean(exclude=set(exclude))
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise ServiceError(messages[0], None if field == NON_FIELD_ERRORS else field) from None


@contextmanager
def refused_if_in_use(what: str) -> Iterator[None]:
    """Deleting inside this block: what is in use stays, and the message lists its users."""
    try:
        yield
    except ProtectedError as error:
        raise in_use(what, error.protected_objects) from None
    except RestrictedError as error:
        raise in_use(what, error.restricted_objects) from None


def in_use(what: str, users: Iterable[Any]) -> ServiceError:
    """The refusal to remove something, listing up to ten of those that use it."""
    names = sorted({f"{one._meta.verbose_name} {one}" for one in users})
    more = f" and {len(names) - NAMED_USERS} more" if len(names) > NAMED_USERS else ""
    return ServiceError(f"{what} is in use and stays: {', '.join(names[:NAMED_USERS])}{more}.")
