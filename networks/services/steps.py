"""Undo of a draft: what it was before each of the user's last steps."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from networks.models import Draft, DraftStep

MOST = 20
"""Steps that are kept for one user."""


def remember(user_id: int) -> None:
    """Note what the user's draft is now, before it is changed. Inside the transaction that changes it."""
    draft = Draft.objects.filter(user_id=user_id).first()
    edits, found = (draft.edits, draft.found) if draft else ("[]", "[]")
    DraftStep.objects.create(user_id=user_id, edits=edits, found=found)
    kept = DraftStep.objects.filter(user_id=user_id).order_by("-pk").values_list("pk", flat=True)[:MOST]
    DraftStep.objects.filter(user_id=user_id).exclude(pk__in=list(kept)).delete()


def forget(user_id: int) -> None:
    """After the draft was applied there is nothing to undo: a decided change is reverted by another one."""
    DraftStep.objects.filter(user_id=user_id).delete()


def can_undo(user: User) -> bool:
    """Whether there is a step to take back."""
    return DraftStep.objects.filter(user_id=user.pk).exists()


def undo(user: User) -> bool:
    """Make the draft what it was before the last step; False if there was none."""
    with transaction.atomic():
        step = DraftStep.objects.filter(user_id=user.pk).order_by("-pk").first()
        # Two clicks at once take back two steps, not one twice.
        if step is None or not DraftStep.objects.filter(pk=step.pk).delete()[0]:
            return False
        Draft.objects.update_or_create(user_id=user.pk, defaults={"edits": step.edits, "found": step.found})
    return True
