"""Drift: properties on servers that differ from what was decided, each from the look that found it first."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from networks.models.desired import VirtualNetwork
from networks.querysets import DriftQuerySet
from nodes.models import PhysicalServer


class Drift(models.Model):
    """One property of one thing, from the look that saw it differ until the look that saw it agree again."""

    server = models.ForeignKey(PhysicalServer, on_delete=models.CASCADE, related_name="drifts")
    network = models.ForeignKey(
        VirtualNetwork, on_delete=models.CASCADE, null=True, blank=True, related_name="drifts"
    )
    kind = models.CharField(max_length=10, help_text="What differs: a server, an adapter or an interface.")
    ctid = models.CharField("CTID", max_length=36, blank=True, default="", db_column="container_ctid")
    name = models.CharField(
        max_length=64, blank=True, default="", help_text="Of the adapter, or of the interface inside."
    )
    property_name = models.CharField(max_length=64)
    link = models.CharField(max_length=200, blank=True, default="", help_text="The server's name of it.")
    desired = models.CharField(max_length=300, blank=True, default="")
    observed = models.CharField(max_length=300, blank=True, default="")
    adopt = models.TextField(default="[]", help_text="Edits that accept it; see networks/domain/adopt.py.")
    why_not = models.CharField(max_length=300, blank=True, default="")
    first_seen_at = models.DateTimeField(db_index=True)
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, db_index=True)

    objects = DriftQuerySet.as_manager()

    class Meta:
        ordering = ("-first_seen_at", "server", "ctid", "name", "property_name", "link")
        constraints = (
            models.UniqueConstraint(
                fields=("server", "kind", "ctid", "name", "property_name", "link"),
                condition=Q(ended_at=None),
                name="one_open_drift_per_property",
            ),
        )

    def __str__(self) -> str:
        return f"{self.property_name} of {self.thing} on {self.server}"

    @property
    def thing(self) -> str:
        """ "Container 102 eth0", "eth0" or "vn-a"."""
        if self.ctid:
            return f"Container {self.ctid} {self.name}"
        return self.name or self.link


class DriftCheck(models.Model):
    """The last look at a server that was compared with desired, and what is remembered of it."""

    server = models.OneToOneField(PhysicalServer, on_delete=models.CASCADE, related_name="drift_check")
    at = models.DateTimeField()
    unsure = models.CharField(
        max_length=300, blank=True, default="", help_text="Why the last look could not be compared."
    )
    memory = models.JSONField(default=dict, help_text="networks.domain.drift.Memory; see networks/drift.py.")

    def __str__(self) -> str:
        return f"drift of {self.server} at {self.at:%Y-%m-%d %H:%M:%S}"
