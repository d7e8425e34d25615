"""The user's draft: her pending edits as sentences, to be discarded or reviewed."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from networks.draft_page import draft_page
from networks.services import drafts, steps
from networks.services.changes import NothingToReview, start_review
from networks.services.errors import NotAllowed
from networks.views.gate import user_of
from networks.views.paging import page_number, pages
from networks.views.subjects import with_links
from nodes.views.lists import text_filter
from vnetpanel.csv_file import csv_response

LINES = 50
"""Sentences on a page."""
FEW = 10
"""So many are read without a filter."""
PROBLEMS = 50
"""So many are shown; the review has them all."""


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    """What the draft would change, and what the rules say so far, from the stored inventory."""
    user = user_of(request)
    wants_csv = request.GET.get("format") == "csv"
    draft = draft_page(user, judged=not wants_csv)
    text = text_filter(request)
    told = draft.matching(text)
    if wants_csv:
        return csv_response("draft", [("Edit", "Physical server"), *draft.rows(told)])
    # After the last line of a page was dropped there is one page less.
    first = min((page_number(request, "page") - 1) * LINES, max(0, len(told) - 1) // LINES * LINES)
    context = {
        "lines": draft.lines(told[first : first + LINES]),
        "lines_before": first,
        "count": len(draft.told),
        "overtaken": draft.overtaken,
        "q": text,
        "line_pages": pages(request, "page", len(told) > first + LINES),
        "is_long": len(draft.told) > FEW,
        "problems": with_links(draft.problems[:PROBLEMS], user),
        "more_problems": max(0, len(draft.problems) - PROBLEMS),
        "can_undo": steps.can_undo(user),
    }
    return render(request, "networks/draft.html", context)


@require_POST
def drop(request: HttpRequest) -> HttpResponse:
    """Take one sentence's edits out of the draft, and what needs them."""
    chosen, along = drafts.drop(user_of(request), set(request.POST.getlist("edit")))
    if not chosen:
        messages.info(request, "That edit is not in your draft any more.")
    elif along:
        many = "s" if len(along) > 1 else ""
        messages.success(request, f"Dropped, with {len(along)} edit{many} that needed it.")
    else:
        messages.success(request, "Dropped.")
    return redirect("networks:draft")


@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take back the last step: an edit that was added or dropped, or the draft that was discarded."""
    if steps.undo(user_of(request)):
        messages.success(request, "The last step is taken back.")
    else:
        messages.info(request, "There is nothing to take back.")
    return redirect("networks:draft")


@require_POST
def discard(request: HttpRequest) -> HttpResponse:
    """Forget the whole draft."""
    drafts.discard(user_of(request))
    messages.success(request, "Your draft is discarded. Nothing was changed on any server.")
    return redirect("networks:draft")


@require_POST
def review(request: HttpRequest) -> HttpResponse:
    """Make a Change of the draft and have it planned; its page follows the planning."""
    try:
        change = start_review(
            user_of(request), request.POST.get("reason", "").replace("\0", "").strip()[:500]
        )
    except NothingToReview as error:
        messages.info(request, str(error))
        return redirect("networks:draft")
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    return redirect("networks:change", change.pk)
