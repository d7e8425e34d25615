"""Who may see and change virtual networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

from nodes.choices import Role
from nodes.querysets import group_paths

if TYPE_CHECKING:
    from nodes.querysets import AnyUser


class VirtualNetworkQuerySet(models.QuerySet[Any]):
    """Virtual networks. Name and description are visible to every user; what is where, by server."""

    def changeable_by(self, user: AnyUser) -> Self:
        """Networks whose every member and assignment is on a server that the user may operate."""
        if not getattr(user, "is_active", False):
            return self.none()
        if getattr(user, "is_superuser", False):
            return self.all()
        paths = group_paths(user, Role.OPERATOR)
        if not paths:
            return self.none()
        from nodes.models import PhysicalServer

        mine = PhysicalServer.objects.operable_by(user).values("pk")
        foreign = PhysicalServer.objects.exclude(pk__in=mine).values("pk")
        return self.exclude(
            Q(pk__in=self.model.objects.filter(assignments__server__in=foreign).values("pk"))
            | Q(
                pk__in=self.model.objects.filter(members__interface__container__server__in=foreign).values(
                    "pk"
                )
            )
        )


class ChangeQuerySet(models.QuerySet[Any]):
    """Changes."""

    def visible_to(self, user: AnyUser) -> Self:
        """Changes of the user's own, and those of which she may see every server that they name or touch.

        A Change tells in sentences what was done where, so it is seen as a whole or not at all; that goes
        for servers on which no command was needed as well. Reviews are their author's own.
        """
        if not getattr(user, "is_active", False):
            return self.none()
        if getattr(user, "is_superuser", False):
            return self.all()
        from networks.models import ChangeServer, Operation
        from nodes.models import PhysicalServer

        seen = PhysicalServer.objects.visible_to(user).values("pk")
        touching = Operation.objects.exclude(server__in=seen).values("change")
        naming = ChangeServer.objects.exclude(server__in=seen).values("change")
        return self.filter(
            Q(author=user.pk)
            | (~Q(pk__in=touching) & ~Q(pk__in=naming) & ~Q(state__in=("planning", "planned", "discarded")))
        )


class DriftQuerySet(models.QuerySet[Any]):
    """What differs from desired."""

    def open(self) -> Self:
        """What still differs."""
        return self.filter(ended_at=None)

    def visible_to(self, user: AnyUser) -> Self:
        """Drift on servers that the user may see."""
        from nodes.models import PhysicalServer

        if getattr(user, "is_active", False) and getattr(user, "is_superuser", False):
            return self.all()
        return self.filter(server__in=PhysicalServer.objects.visible_to(user).values("pk"))


class ProblemQuerySet(models.QuerySet[Any]):
    """Problems that were found."""

    def open(self) -> Self:
        """What is not mended yet."""
        return self.filter(ended_at=None)

    def visible_to(self, user: AnyUser) -> Self:
        """Problems whose every server the user may see: their sentences name them all."""
        if not getattr(user, "is_active", False):
            return self.none()
        if getattr(user, "is_superuser", False):
            return self.all()
        from nodes.models import PhysicalServer

        seen = PhysicalServer.objects.visible_to(user).values("pk")
        through = self.model.servers.through.objects
        return self.exclude(pk__in=through.exclude(physicalserver__in=seen).values("standingproblem"))
