"""Changes: the review, its progress and its result on one page, and the list of all."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from networks.change_cards import card
from networks.change_filters import KINDS, filtered, filters_of
from networks.change_page import servers_of, waits_for_worker, width_choices
from networks.choices import ChangeState
from networks.desired import head_number
from networks.models import Change
from networks.services import changes as services
from networks.services.errors import Conflict, NotAllowed
from networks.services.forward import servers_behind
from networks.services.sight import compares_found, of_change
from networks.sight_page import sight_lines
from networks.tables import ChangeTable
from networks.views.gate import change_or_404, user_of
from networks.views.subjects import result_for, told_of_change
from nodes.views.lists import answered, paged
from vnetpanel.htmx import wants_fragment
from vnetpanel.numbers import number, numbers

MENDED = (ChangeState.FAILED, ChangeState.CANCELLED, ChangeState.PARTLY)
"""Changes of which something came to nothing, and can go back into the draft."""


@require_safe
def all_changes(request: HttpRequest) -> HttpResponseBase:
    """All Changes, newest first; each is a commit of the whole of desired."""
    filters = filters_of(request.GET.dict())
    table = ChangeTable(filtered(services.visible_changes(request.user), filters))
    if response := answered(request, table, "changes"):
        return response
    context = {
        "table": paged(request, table),
        "servers_behind": servers_behind(request.user),
        "filters": filters,
        "kinds": KINDS,
        "newest": head_number(),
        "hidden_count": services.hidden_changes(request.user),
    }
    return render(request, "networks/changes.html", context)


@require_safe
@vary_on_headers("HX-Request")
def show(request: HttpRequest, change_id: uuid.UUID) -> HttpResponse:
    """The Change as it is now. Polled as a fragment with an ETag; the ended state stops the polling."""
    change = change_or_404(request.user, change_id)
    if not wants_fragment(request):
        response = render(request, "networks/change.html", _page(request, change))
        # Page and fragment have one address: a browser that kept the page would answer the polls with it.
        response["Cache-Control"] = "private, no-store"
        return response
    # The reader's name: who logs in after another in one browser must not be shown what that one saw.
    etag = f'"{request.user.pk}-{change.pk}-{change.version}-{change.state}-{waits_for_worker(change)}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers=headers)
    response = render(request, "networks/change.html#live", _page(request, change))
    for name, value in headers.items():
        response[name] = value
    return response


def _page(request: HttpRequest, change: Change) -> dict[str, Any]:
    servers = servers_of(change, request.user, asked := request.GET.get("wave", ""))
    problems, hidden_problems = told_of_change(change, request.user)
    refused = servers.refused or any(p["severity"] == "refuse" for p in problems)
    decisions = list(change.decisions.all())
    numbers = [row.revision_id for row in decisions if row.revision_id]
    return {
        "change": change,
        "result": result_for(change, request.user),
        "decisions": decisions,
        "revisions": (min(numbers), max(numbers)) if numbers else None,
        "servers": servers,
        "asked_wave": servers.open_wave if asked else None,
        "cards": [card(op, change, servers.count) for op in servers.operations],
        "hidden_count": servers.hidden_count,
        "hidden_problems": hidden_problems,
        "width_choices": width_choices(servers.count),
        "refusals": [p for p in problems if p["severity"] == "refuse"],
        "warnings": [p for p in problems if p["severity"] == "warn"],
        "notes": [p for p in problems if p["severity"] == "note"],
        "sight": sight_lines(of_change(change, request.user))
        if change.state == ChangeState.PLANNED
        else None,
        "compares_found": compares_found(change),
        "sentences": change.summary.splitlines(),
        "is_refused": refused,
        "waits_for_worker": waits_for_worker(change),
        "is_live": not change.is_terminal and change.state != ChangeState.PLANNED,
        **_offered(request, change, is_empty=bool(change.repairs) and not servers.count, refused=refused),
    }


def _offered(request: HttpRequest, change: Change, *, is_empty: bool, refused: bool) -> dict[str, bool]:
    """What the reader can do with it: which buttons are shown."""
    is_mine = change.author_id == request.user.pk
    can_apply = is_mine and change.state == ChangeState.PLANNED and not refused and not is_empty
    can_cancel = (
        change.decided_at is None
        and not change.is_terminal
        and change.state not in (ChangeState.PLANNING, ChangeState.PLANNED, ChangeState.ROLLING_BACK)
        and change.cancel_requested_at is None
    )
    can_mend = is_mine and not change.repairs and change.state in MENDED
    may = (can_apply or can_cancel or can_mend) and services.may_touch(request.user, change)
    return {
        "is_mine": is_mine,
        "can_apply": can_apply and may,
        "can_cancel": can_cancel and may,
        "can_mend": can_mend and may,
        "lacks_role": can_apply and not may,
    }


@require_POST
def apply(request: HttpRequest, change_id: uuid.UUID) -> HttpResponse:
    """Apply a reviewed Change with its warnings ticked."""
    change = change_or_404(request.user, change_id)
    try:
        services.apply_change(
            user_of(request),
            change,
            set(request.POST.getlist("tick")),
            width=number(request.POST.get("width", "")),
            leave_out=set(numbers(request.POST.getlist("leave_out"))),
        )
    except Conflict as error:
        messages.error(request, str(error))
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    return redirect("networks:change", change.pk)


@require_POST
def cancel(request: HttpRequest, change_id: uuid.UUID) -> HttpResponse:
    """Take an undecided Change back."""
    change = change_or_404(request.user, change_id)
    try:
        services.cancel_change(user_of(request), change)
        messages.info(request, "The change is being taken back; what earlier waves decided stays.")
    except Conflict as error:
        messages.error(request, str(error))
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    return redirect("networks:change", change.pk)


@require_POST
def mend(request: HttpRequest, change_id: uuid.UUID) -> HttpResponse:
    """Back to the draft with the edits of a failed, cancelled or partly done Change."""
    change = change_or_404(request.user, change_id)
    try:
        services.mend(user_of(request), change)
    except Conflict as error:
        messages.error(request, str(error))
        return redirect("networks:change", change.pk)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    messages.success(request, "Its edits are in your draft again, beside what was there.")
    return redirect("networks:draft")
