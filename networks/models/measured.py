"""Measurements of who answers whom, and the disagreements between them and the prediction."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from networks.choices import MeasurementState
from networks.models.changes import Change


class Measurement(models.Model):
    """One measurement among some hosts, asked for by a person or made after a Change. Not kept for ever."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    change = models.ForeignKey(
        Change, on_delete=models.SET_NULL, null=True, blank=True, related_name="measurements"
    )
    servers = models.JSONField(default=list, help_text="Primary keys of the servers that are asked.")
    network = models.UUIDField(null=True, blank=True, help_text="The network that it is about, if one.")
    state = models.CharField(
        max_length=10, choices=MeasurementState.choices, default=MeasurementState.WAITING, db_index=True
    )
    cells = models.JSONField(
        default=list, help_text="[[origin, target, layer, predicted, measured]]; see networks/points.py."
    )
    silent = models.JSONField(default=dict, help_text="Why a server could not be asked, by primary key.")
    asked_at = models.DateTimeField(auto_now_add=True, db_index=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    LEFT_OUT = "groups"
    """A key of `silent` that is no server's: how many groups of hosts were more than may be tried."""

    class Meta:
        ordering = ("-asked_at",)

    def __str__(self) -> str:
        return f"measurement of {self.asked_at:%Y-%m-%d %H:%M:%S}"


class Disagreement(models.Model):
    """Something that was measured otherwise than predicted, from the first time until it agrees again.

    Or until nothing can be compared any more: one end is gone, or another answer is predicted now.
    `key` names it: a pair of hosts, or a server whose port lacks a VLAN.
    """

    key = models.CharField(max_length=200)
    text = models.TextField()
    cause = models.TextField(blank=True, default="", help_text="What most likely is behind it.")
    servers = models.JSONField(default=list, help_text="Primary keys of the servers that it names.")
    networks = models.JSONField(default=list, help_text="Ids of the virtual networks that it is about.")
    origin = models.CharField(max_length=120, blank=True, default="")
    target = models.CharField(max_length=120, blank=True, default="")
    layer = models.CharField(
        max_length=10, blank=True, default="", help_text="Of a pair: the layer that the sentence is about."
    )
    predicted = models.CharField(
        max_length=10, blank=True, default="", help_text="Of a pair: the answer that was predicted on it."
    )
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("first_seen_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("key",), condition=Q(gone_at=None), name="one_open_disagreement_per_key"
            ),
        )

    def __str__(self) -> str:
        return self.text

    @property
    def is_of_trunk(self) -> bool:
        """Whether it says that a switch does not carry a VLAN to a server."""
        return self.key.startswith("trunk:")

    @property
    def wire(self) -> tuple[int, int]:
        """The physical segment and the VLAN id of one that is of a trunk."""
        _, segment, vid, _ = self.key.split(":")
        return int(segment), int(vid)

    @property
    def wire_server(self) -> int:
        """The primary key of the server to which the switch does not carry it, of one that is of a trunk."""
        return int(self.key.rpartition(":")[2])
