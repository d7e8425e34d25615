"""What people mean a virtual network to do: checked whenever something changes."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from networks.models.desired import VirtualNetwork


class IntentKind(models.TextChoices):
    ISOLATED = "isolated", "Never reaches other hosts"
    TOGETHER = "together", "Members always see each other"
    SEES = "sees", "One always sees another"


class NetworkIntent(models.Model):
    """One assertion of a network (networks/domain/intent.py). `source` and `target` as networks/points.py."""

    network = models.ForeignKey(VirtualNetwork, on_delete=models.CASCADE, related_name="intents")
    kind = models.CharField(max_length=10, choices=IntentKind.choices)
    source = models.CharField(max_length=120, blank=True, default="")
    target = models.CharField(max_length=120, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("network", "kind", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("network", "kind", "source", "target"),
                name="intent_said_once",
                violation_error_message="This is meant already.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.network}: {self.get_kind_display()}"
