"""Who may see and do what on these pages: one place. What a user may not see does not exist (404)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from networks.domain.rules import Problem
from networks.domain.state import Edit, Network
from networks.looking_back import then
from networks.models import Change, VirtualNetwork
from networks.services import drafts
from networks.services.errors import NotAllowed, Refused
from networks.services.validate import refused_at_once
from networks.slices import Drafted, network_alone, of_network
from nodes.choices import Role
from nodes.models import Container, PhysicalServer, ServerGroup
from nodes.querysets import AnyUser, group_paths, has_role


def user_of(request: HttpRequest) -> User:
    """The user who has logged in: no page of these is shown to anybody else."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Log in first.")
    return request.user


def group_or_404(user: AnyUser, group_id: int) -> ServerGroup:
    return get_object_or_404(ServerGroup.objects.visible_to(user).select_related("parent"), pk=group_id)


def server_or_404(user: AnyUser, server_id: int, *with_: str) -> PhysicalServer:
    """The server with its group, and with what else is read along."""
    servers = PhysicalServer.objects.visible_to(user).select_related("group", *with_)
    return get_object_or_404(servers, pk=server_id)


def network_or_404(user: AnyUser, network_id: uuid.UUID) -> Network:
    """The network as the user's draft has it, stored or only drafted; 404 if neither, or deleted in it."""
    found = network_alone(network_id, user)
    if found is None:
        raise Http404("There is no such virtual network.")
    return found


def drafted_or_404(user: AnyUser, network_id: uuid.UUID) -> tuple[Network, Drafted]:
    """The same, with everything about it on all servers."""
    part = of_network(network_id, user)
    found = part.drafted.network(str(network_id))
    if found is None:
        raise Http404("There is no such virtual network.")
    return found, part


def container_or_404(user: AnyUser, container_id: int) -> Container:
    containers = Container.objects.visible_to(user).select_related("server__group")
    return get_object_or_404(containers, pk=container_id)


def change_or_404(user: AnyUser, change_id: uuid.UUID) -> Change:
    """A Change that the user may see."""
    changes = Change.objects.visible_to(user).select_related("author", "revision")
    return get_object_or_404(changes, pk=change_id)


def stage(request: HttpRequest, edits: Iterable[Edit], said: str) -> None:
    """Put edits into the user's draft and say so, or why not; a lacking role is 403 with the sentence."""
    wanted = list(edits)
    try:
        with _lacking_role_is_403():
            drafts.stage(user_of(request), wanted)
    except Refused as error:
        messages.error(request, " ".join(f"{p.text} {p.hint}".strip() for p in error.problems))
        return
    messages.success(request, said if wanted else "Nothing was changed.")


def refused_of(request: HttpRequest, edits: Collection[Edit]) -> tuple[Problem, ...]:
    """What is refused at once of the edits; a lacking role is 403 with the sentence, whatever is there."""
    with _lacking_role_is_403():
        return refused_at_once(edits, user_of(request))


def must_operate(request: HttpRequest, servers: Collection[int]) -> None:
    """403 with the sentence unless the user may operate all these servers, which a form named.

    Before their edits are made: which of them change nothing tells what is on the server.
    """
    with _lacking_role_is_403():
        drafts.need_servers(user_of(request), servers)


@contextmanager
def _lacking_role_is_403() -> Iterator[None]:
    try:
        yield
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error


def can_operate(user: AnyUser, server: PhysicalServer) -> bool:
    return then() is None and has_role(user, Role.OPERATOR, server.group)


def may_operate_somewhere(user: AnyUser) -> bool:
    """Whether the user has the operator role in some group: what making a network needs."""
    if then() is not None:
        return False
    return bool(getattr(user, "is_superuser", False) or group_paths(user, Role.OPERATOR))


def may_change(user: AnyUser, network_id: uuid.UUID) -> bool:
    """Whether the user may rename or delete the network; one that is only drafted is hers."""
    if then() is not None:
        return False
    if has_role(user, Role.OPERATOR, None):
        return True
    stored = VirtualNetwork.objects.filter(pk=network_id)
    return stored.changeable_by(user).exists() or not stored.exists()
