"""The user's draft: her pending edits as sentences, to be discarded or reviewed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from networks.domain.diff import described
from networks.domain.drop import needing
from networks.domain.state import Edit, apply_edits
from networks.inventory_rows import inventory, servers_named
from networks.services import drafts, steps
from networks.services.changes import NothingToReview, start_review
from networks.services.drafts import base_of
from networks.services.errors import NotAllowed
from networks.services.validate import problems
from networks.views.gate import user_of
from networks.views.subjects import with_links

MOST_LINKED = 500
"""Of longer drafts the page does not say line by line what goes along."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of the draft; `keys` name its edits, `along` are sentences of those that need them."""

    sentence: str
    keys: tuple[str, ...]
    along: tuple[str, ...]


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """What the draft would change, and what the rules say so far, from the stored inventory."""
    user = user_of(request)
    base, edits = base_of(user)
    after = apply_edits(base, edits)
    known = inventory(servers_named(after) | servers_named(base), user, about=(base, after))
    found = drafts.is_found(drafts.draft_of(user))
    context = {
        "lines": _lines(described(edits, base, known), edits),
        "problems": with_links(problems(base, edits, user, found=found), user),
        "can_undo": steps.can_undo(user),
    }
    return render(request, "networks/draft.html", context)


def _lines(sentences: Iterable[tuple[str, tuple[Edit, ...]]], edits: Sequence[Edit]) -> list[Line]:
    told = list(sentences)
    of = {edit: sentence for sentence, some in told for edit in some}
    # With hundreds of edits nobody drops them one by one, and finding what needs what takes its time.
    many = len(edits) > MOST_LINKED
    lines = []
    for sentence, some in told:
        along = () if many else tuple(dict.fromkeys(of[edit] for edit in needing(edits, some) if edit in of))
        lines.append(
            Line(sentence, tuple(map(drafts.key_of, some)), tuple(s for s in along if s != sentence))
        )
    return lines


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
