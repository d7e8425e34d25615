"""Changes and their parts per server. A row is the outbox: the broker may lose every message."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q

from networks.choices import (
    IDLE_OPERATION_STATES,
    TERMINAL_CHANGE_STATES,
    TERMINAL_OPERATION_STATES,
    ChangeState,
    OperationState,
)
from networks.domain.waves import server_of
from networks.querysets import ChangeQuerySet
from networks.state_json import UnreadableState, load_edits
from nodes.models import PhysicalServer


class Change(models.Model):
    """One reviewed, applied, decided step of desired, on one or many servers.

    A worker owns it while its lease lasts; `fence` counts owners, and every write of an owner names its
    fence, so that one that lost its lease can write nothing more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="changes"
    )
    reason = models.CharField(max_length=500, blank=True, default="")
    summary = models.TextField(blank=True, default="", help_text="What was asked for, a sentence a line.")
    edits = models.TextField(default="[]")
    repairs = models.JSONField(
        default=list, help_text="Keys of servers that are brought back to what was decided, edits or none."
    )
    is_found = models.BooleanField(
        default=False, help_text="Its edits only write down what was found on the servers (adopted drift)."
    )
    base = models.PositiveBigIntegerField("based on revision")
    settled = models.JSONField(
        default=dict,
        help_text="Names the review fixed: {bridges: {network: name}, adopted: {server: {network: bridge}}}, "
        "keys of the intents it asked: {intents: [key]}, and what its servers had missed: "
        "{missed: {server: [operation]}}.",
    )
    revision = models.OneToOneField(
        "networks.Revision",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="change",
        help_text="What its last decision made; each wave's own is in its Decision.",
    )
    width = models.PositiveSmallIntegerField(
        default=0, help_text="Servers of a wave behind the first server; 0: all servers at once."
    )
    is_automatic = models.BooleanField(
        default=False, help_text="Made by the panel: applied after its planning if nothing speaks against it."
    )
    problems = models.JSONField(
        default=list, help_text="What the review found: [{key, severity, text, fix, subjects, ticked}]."
    )
    state = models.CharField(
        max_length=20, choices=ChangeState.choices, default=ChangeState.PLANNING, db_index=True
    )
    result = models.TextField(blank=True, default="")
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True, db_index=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=0, help_text="Counts visible steps: the page's ETag.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    started_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ChangeQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        first, *others = self.summary.splitlines() or [f"change {self.pk}"]
        return f"{first.rstrip('.')} and {len(others)} more" if others else first

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store it; a new one with the servers that it names, which its edits never change afterwards."""
        if not self._state.adding:
            super().save(*args, **kwargs)
            return
        with transaction.atomic():
            super().save(*args, **kwargs)
            self._name_servers()

    def _name_servers(self) -> None:
        about = set(self.repairs)
        # One that cannot be read is refused at its planning and never says anything.
        with suppress(UnreadableState):
            about |= {pk for edit in load_edits(self.edits) if (pk := server_of(edit)) is not None}
        there = set(PhysicalServer.objects.filter(pk__in=about).values_list("pk", flat=True))
        ChangeServer.objects.bulk_create(
            ChangeServer(change=self, server_id=server) for server in sorted(there)
        )
        if about - there:
            ChangeServer.objects.create(change=self)

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL_CHANGE_STATES


class ChangeServer(models.Model):
    """A server that the edits or repairs of a Change name, whether or not it has a command to run there.

    Who may not see one of them does not see the Change. Without a server: one that has been removed.
    """

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="named")
    server = models.ForeignKey(PhysicalServer, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("change", "server"), name="server_named_once_by_change"),
        )

    def __str__(self) -> str:
        return f"{self.server or 'a removed server'} in {self.change}"


class Decision(models.Model):
    """The decision of one wave of a Change: from this row on its servers follow, before it they go back.

    `revision` is what it made; none where servers were only brought to what had been decided before.
    """

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="decisions")
    wave = models.PositiveSmallIntegerField()
    revision = models.OneToOneField(
        "networks.Revision", on_delete=models.PROTECT, null=True, related_name="decision"
    )
    decided_at = models.DateTimeField()

    class Meta:
        ordering = ("change", "wave")
        constraints = (models.UniqueConstraint(fields=("change", "wave"), name="one_decision_per_wave"),)

    def __str__(self) -> str:
        return f"decision of wave {self.wave} of {self.change}"


class Operation(models.Model):
    """One server's part of a Change. `id` is the transaction id on the server."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="operations")
    server = models.ForeignKey(
        PhysicalServer, on_delete=models.SET_NULL, null=True, related_name="operations"
    )
    server_name = models.CharField(
        max_length=100, default="", help_text="What it was called then: history outlives the server."
    )
    wave = models.PositiveSmallIntegerField(default=1)
    is_unreachable = models.BooleanField(
        default=False, help_text="It could not be asked at the review, so it may be left out."
    )
    state = models.CharField(
        max_length=20, choices=OperationState.choices, default=OperationState.PLANNED, db_index=True
    )
    host_plan = models.TextField(
        blank=True, default="", help_text="What the transaction script gets on its standard input."
    )
    digest = models.CharField(
        max_length=64, blank=True, default="", help_text="Of the exact commands shown at the review."
    )
    refusals = models.JSONField(default=list, help_text="Why this server cannot take part, a sentence each.")
    commands = models.JSONField(default=list, help_text="The exact commands, as the server printed them.")
    notes = models.JSONField(default=list)
    is_guarded = models.BooleanField(
        default=False, help_text="It touches an adapter with an address of the server."
    )
    must_follow = models.BooleanField(
        default=False, help_text="vzctl's saved configuration does not agree yet; replayed until it does."
    )
    follow_attempts = models.PositiveIntegerField(default=0)
    next_follow_at = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True, default="", help_text="Why, in the server's own words.")
    deadline_at = models.DateTimeField(null=True, blank=True, help_text="When the dead-man fires.")
    events = models.JSONField(default=list, help_text="[{at, text}] in order.")
    timings_ms: models.JSONField[Any, Any] = models.JSONField(default=dict)
    """"apply": from sending the plan to the answer that it is applied and verified."""
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("server_name",)
        indexes = (
            models.Index(
                fields=("state", "next_follow_at"), condition=Q(must_follow=True), name="operations_to_follow"
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=("change", "server"), name="one_operation_per_server_and_change"),
            models.UniqueConstraint(
                fields=("server",),
                condition=~Q(state__in=sorted(IDLE_OPERATION_STATES)),
                name="one_open_operation_per_server",
            ),
        )

    def __str__(self) -> str:
        return f"{self.change} on {self.server_name}"

    @property
    def applied_in_s(self) -> float | None:
        """Seconds in which the server applied and verified the plan; None if it did not, or nobody saw it."""
        spent = self.timings_ms.get("apply")
        return spent / 1000 if isinstance(spent, int | float) else None

    @property
    def has_followers(self) -> bool:
        """Whether some commands come only after the commit."""
        return any(command.get("phase") == "follow" for command in self.commands)

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL_OPERATION_STATES


class Behind(models.Model):
    """A server that does not follow desired yet: it missed a decision, or was left out of it.

    It is as revision `followed` says until a Change brings it forward; the row goes when one has, unless the
    server has missed another decision meanwhile.
    """

    server = models.OneToOneField(PhysicalServer, on_delete=models.CASCADE, related_name="behind")
    change = models.ForeignKey(
        Change, on_delete=models.SET_NULL, null=True, related_name="+", help_text="The one that it missed."
    )
    followed = models.PositiveBigIntegerField("follows revision")
    missed = models.PositiveBigIntegerField("missed revision", help_text="The newest that it missed.")
    reason = models.TextField()
    since = models.DateTimeField()
    attempt = models.ForeignKey(
        Change,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="The panel's last Change to bring it forward.",
    )
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        ordering = ("server__name",)

    def __str__(self) -> str:
        return f"{self.server} is behind"


class Preparation(models.Model):
    """What the panel has installed on a server for the times it is not connected: boot replay, start hook."""

    server = models.OneToOneField(PhysicalServer, on_delete=models.CASCADE, related_name="preparation")
    script = models.CharField(max_length=64, help_text="SHA-256 of the transaction script that is installed.")
    hook = models.CharField(max_length=10, blank=True, default="", help_text="ours, unneeded or foreign.")
    warnings = models.JSONField(default=list)
    at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"preparation of {self.server}"
