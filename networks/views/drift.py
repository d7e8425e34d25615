"""Drift: what differs from desired, on all servers or on one, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from networks.models import Drift
from networks.services import drift as services
from networks.services.changes import NothingToReview, start_repair
from networks.services.errors import Conflict, NotAllowed
from networks.tables import DriftTable
from networks.views.gate import can_operate, server_or_404, user_of
from nodes.views.lists import answered, matching, paged, text_filter
from vnetpanel.numbers import number, numbers

SEARCHED = ("server__name", "network__name", "link", "ctid", "name", "property_name")


@require_safe
def all_drift(request: HttpRequest) -> HttpResponseBase:
    """Everything that differs, on all servers that the user may see."""
    return _page(request, services.open_drifts(request.user), "drift", "networks/drift.html", {})


@require_safe
def server_drift(request: HttpRequest, server_id: int) -> HttpResponseBase:
    """What differs on one server."""
    server = server_or_404(request.user, server_id, "drift_check")
    check = getattr(server, "drift_check", None)
    context = {
        "server": server,
        "unsure": check.unsure if check else "",
        "compared_at": check.at if check else None,
        "risks": [asdict(problem) for problem in services.reboot_risks(server)],
    }
    rows = services.open_drifts(request.user).filter(server=server)
    return _page(request, rows, f"drift-{server.pk}", "networks/server_drift.html", context)


def _page(
    request: HttpRequest, rows: Any, name: str, template: str, context: dict[str, Any]
) -> HttpResponseBase:
    text = text_filter(request)
    table = DriftTable(matching(rows, text, *SEARCHED))
    if "server" in context:
        table.hidden_here = ("server",)
    if response := answered(request, table, name):
        return response
    paged(request, table)
    may_mend = any(can_operate(request.user, row.record.server) for row in table.paginated_rows)
    return render(request, template, context | {"table": table, "q": text, "may_mend": may_mend})


@require_POST
def repair(request: HttpRequest) -> HttpResponse:
    """Review a Change that brings the servers of the ticked ones back to what was decided."""

    def mend(chosen: list[Drift]) -> HttpResponse:
        change = start_repair(user_of(request), services.servers_of(chosen))
        return redirect("networks:change", change.pk)

    return _done(request, mend)


@require_POST
def adopt(request: HttpRequest) -> HttpResponse:
    """Put edits into the user's draft that accept what was found."""

    def accept(chosen: list[Drift]) -> HttpResponse:
        adopted = services.adopt(user_of(request), chosen)
        for sentence in adopted.not_adopted:
            messages.warning(request, f"Not adopted: {sentence}")
        messages.success(request, "What was found is in your draft. Review it to make it what is decided.")
        return redirect("networks:draft")

    return _done(request, accept)


def _done(request: HttpRequest, work: Callable[[list[Drift]], HttpResponse]) -> HttpResponse:
    ticked = numbers(request.POST.getlist("drift")[:1000])
    chosen = list(services.open_drifts(request.user).filter(pk__in=ticked))
    try:
        if chosen:
            return work(chosen)
        gone = "It does not differ any more." if ticked else "Tick what to repair or adopt first."
        messages.info(request, gone)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except (Conflict, NothingToReview) as error:
        messages.error(request, str(error))
    if (back := number(request.POST.get("from", ""))) is not None:
        return redirect("networks:server_drift", back)
    return redirect("networks:drift")
