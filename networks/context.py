"""What every page knows of virtual networks: how much is pending."""

from __future__ import annotations

from functools import partial

from django.http import HttpRequest

from networks.slices import draft_edits


def pending(request: HttpRequest) -> dict[str, object]:
    """`draft_count`: edits in the user's draft. Computed where a template asks for it."""
    return {"draft_count": partial(_count, request)}


def _count(request: HttpRequest) -> int:
    return len(draft_edits(request.user)) if request.user.is_authenticated else 0
