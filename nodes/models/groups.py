"""Server groups: folders of physical servers, nested."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Substr

from nodes.querysets import ServerGroupQuerySet
from nodes.validators import validate_new_name


class ServerGroup(models.Model):
    """A folder of physical servers. Groups nest; a server is in exactly one group.

    `path` is "/1/5/": the primary keys from the top down to this group, so that "this group and all
    below" is one prefix comparison.
    """

    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, blank=True)
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        help_text="The group that this one is in; empty for a top-level group.",
    )
    path = models.CharField(max_length=500, editable=False, default="", db_index=True)

    objects = ServerGroupQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("parent", "name"), name="group_name_unique_in_parent"),
            models.UniqueConstraint(
                fields=("name",), condition=models.Q(parent=None), name="group_name_unique_at_top"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the group and keep `path` of it and of all groups below it true."""
        self._check_place()
        with transaction.atomic():
            super().save(*args, **kwargs)
            old = self.path
            new = f"{self.parent.path if self.parent else '/'}{self.pk}/"
            if new == old:
                return
            self.path = new
            type(self).objects.filter(pk=self.pk).update(path=new)
            if old:
                type(self).objects.filter(path__startswith=old).exclude(pk=self.pk).update(
                    path=Concat(Value(new), Substr(F("path"), len(old) + 1))
                )

    def clean(self) -> None:
        validate_new_name(self, ServerGroup.objects.filter(parent=self.parent_id))
        self._check_place()

    def _check_place(self) -> None:
        if self.parent is not None and self.pk and self.parent.path.startswith(self.path):
            raise ValidationError({"parent": "A server group cannot be inside itself or a group below it."})

    @property
    def depth(self) -> int:
        """0 for a top-level group."""
        return self.path.count("/") - 2

    @property
    def ancestor_ids(self) -> list[int]:
        """Primary keys from the top group down to the parent."""
        return [int(part) for part in self.path.strip("/").split("/")[:-1] if part]
