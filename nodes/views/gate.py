"""Who may see what on these pages: one place. What a user may not see does not exist (404)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from nodes import querysets
from nodes.choices import Role
from nodes.models import Container, PhysicalServer, ServerGroup
from nodes.querysets import AnyUser
from nodes.services.errors import NotAllowed, ServiceError


def group_or_404(user: AnyUser, group_id: int) -> ServerGroup:
    groups = ServerGroup.objects.visible_to(user).select_related("parent")
    return get_object_or_404(groups, pk=group_id)


def server_or_404(user: AnyUser, server_id: int) -> PhysicalServer:
    servers = PhysicalServer.objects.visible_to(user).select_related("group", "credential__group")
    return get_object_or_404(servers, pk=server_id)


def container_or_404(user: AnyUser, container_id: int) -> Container:
    containers = Container.objects.visible_to(user).select_related("server__group")
    return get_object_or_404(containers, pk=container_id)


def has_role(request: HttpRequest, role: Role, group: ServerGroup | None) -> bool:
    """Whether to show a button; services ask again."""
    return querysets.has_role(request.user, role, group)


def is_admin_somewhere(request: HttpRequest) -> bool:
    """Whether she has the role admin in one server group at least. No query where roles were asked before."""
    user = request.user
    return user.is_superuser or bool(querysets.group_paths(user, Role.ADMIN))


def needs_admin_somewhere(request: HttpRequest, what: str) -> None:
    """403, saying which role is lacking, unless she may do `what` in one server group at least."""
    if not is_admin_somewhere(request):
        role = Role.ADMIN.label
        raise PermissionDenied(f"{what} needs the role “{role}” in a server group, and you have it in none.")


@contextmanager
def said_on(form: BaseForm) -> Iterator[None]:
    """A service's refusal becomes an error of the form, beside its field; a lacking role is 403."""
    try:
        yield
    except NotAllowed as error:
        raise PermissionDenied(error.message) from error
    except ServiceError as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
