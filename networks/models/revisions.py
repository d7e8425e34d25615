"""Revisions of desired, and drafts that would make a next one."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Revision(models.Model):
    """The whole desired state as it was decided at one time. Numbered from 1; never changed or deleted."""

    number = models.PositiveBigIntegerField(primary_key=True)
    decided_at = models.DateTimeField(auto_now_add=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reason = models.CharField(max_length=500, blank=True, default="")
    state = models.TextField(help_text="networks.domain.state.Desired as JSON; see networks/state_json.py.")

    class Meta:
        ordering = ("-number",)

    def __str__(self) -> str:
        return f"revision {self.number}"


class Draft(models.Model):
    """One user's pending edits, on top of what is decided now."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="draft")
    edits = models.TextField(default="[]", help_text="Edits as JSON; see networks/state_json.py.")
    found = models.TextField(
        default="[]", help_text="Those of the edits that only write down what was found (adopted drift)."
    )
    reason = models.CharField(max_length=500, blank=True, default="")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"draft of {self.user}"


class DraftStep(models.Model):
    """What a user's draft was before one of her last steps, newest last: for undo."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="draft_steps")
    edits = models.TextField(default="[]")
    found = models.TextField(default="[]")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"draft of {self.user} before {self.at:%Y-%m-%d %H:%M:%S}"
