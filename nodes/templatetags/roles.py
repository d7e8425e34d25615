"""Which role the reader has where, for templates: whether to show a button or a name. Services ask again."""

from __future__ import annotations

from django import template

from nodes.choices import Role
from nodes.models import Credential, PhysicalServer, ServerGroup
from nodes.querysets import AnyUser, has_role

register = template.Library()


@register.filter
def sees(user: AnyUser, group: ServerGroup) -> bool:
    """Whether the user may see the server group: `{% if request.user|sees:group.parent %}`."""
    return has_role(user, Role.VIEWER, group)


@register.filter
def operates(user: AnyUser, server: PhysicalServer) -> bool:
    """Whether the user may change networks on the server. No query where its group was read along."""
    return has_role(user, Role.OPERATOR, server.group)


@register.filter
def knows(user: AnyUser, credential: Credential) -> bool:
    """Whether the user may know what the credential is called. No query where its group was read along."""
    return has_role(user, Role.ADMIN, credential.group)
