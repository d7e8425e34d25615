"""The user's draft: her pending edits as sentences, to be discarded or reviewed."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from networks.domain.diff import describe
from networks.domain.state import apply_edits
from networks.inventory_rows import inventory, servers_named
from networks.services import drafts
from networks.services.changes import NothingToReview, start_review
from networks.services.drafts import base_of
from networks.services.errors import NotAllowed
from networks.services.validate import problems
from networks.views.gate import user_of
from networks.views.subjects import with_links


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """What the draft would change, and what the rules say so far, from the stored inventory."""
    base, edits = base_of(user_of(request))
    after = apply_edits(base, edits)
    known = inventory(servers_named(after) | servers_named(base), request.user)
    context = {
        "sentences": describe(edits, base, known),
        "problems": with_links(
            problems(base, edits, request.user, found=drafts.is_found(drafts.draft_of(user_of(request))))
        ),
    }
    return render(request, "networks/draft.html", context)


@require_POST
def discard(request: HttpRequest) -> HttpResponse:
    """Forget the whole draft."""
    drafts.discard(user_of(request))
    messages.success(request, "Your draft is discarded. Nothing was changed on any server.")
    return redirect("networks:list")


@require_POST
def review(request: HttpRequest) -> HttpResponse:
    """Make a Change of the draft and have it planned; its page follows the planning."""
    try:
        change = start_review(user_of(request), request.POST.get("reason", "").strip()[:500])
    except NothingToReview as error:
        messages.info(request, str(error))
        return redirect("networks:draft")
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    return redirect("networks:change", change.pk)
