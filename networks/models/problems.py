"""Problems that stand until they are mended: what the Problems page lists and people acknowledge."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from networks.querysets import ProblemQuerySet
from nodes.models import PhysicalServer


class StandingProblem(models.Model):
    """One problem, from the check that found it until the check that finds it no more.

    `cause` is what it is grouped by, `key` tells it apart from others of its cause. It names its `servers`,
    so only who may see all of them sees it.
    """

    cause = models.CharField(max_length=40, db_index=True)
    key = models.CharField(max_length=64)
    severity = models.CharField(max_length=10, help_text="refuse, warn or note.")
    text = models.TextField()
    hint = models.TextField(blank=True, default="")
    subjects = models.JSONField(default=list, help_text="What it is about: [{kind, label, …keys}].")
    servers = models.ManyToManyField(PhysicalServer, related_name="problems", blank=True)
    first_seen_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True, db_index=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    acknowledged_name = models.CharField(
        max_length=150, blank=True, default="", help_text="What the user was called then."
    )
    note = models.CharField(max_length=300, blank=True, default="", help_text="Why it may stay for now.")

    objects = ProblemQuerySet.as_manager()

    class Meta:
        ordering = ("-first_seen_at", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("key",), condition=Q(ended_at=None), name="one_open_problem_per_key"
            ),
        )

    def __str__(self) -> str:
        return self.text


class ProblemCheck(models.Model):
    """What the last check of the rules was about: the same again needs no new check. One row."""

    version = models.CharField(max_length=64)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"check at {self.at:%Y-%m-%d %H:%M:%S}"
