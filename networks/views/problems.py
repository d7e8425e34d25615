"""Problems: everything that is wrong anywhere, by cause, until it is mended or acknowledged."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from networks.models import StandingProblem
from networks.problem_causes import CAUSES, cause_of
from networks.problems_page import Group, grouped_by_cause, rows_of
from networks.services import mend as services_mend
from networks.services import problems as services
from networks.services.drafts import on_own_servers
from networks.services.errors import NotAllowed
from networks.views.gate import stage, user_of
from nodes.views.lists import text_filter
from vnetpanel.htmx import polled
from vnetpanel.numbers import numbers

PAGE = 25


@require_safe
def all_problems(request: HttpRequest) -> HttpResponse:
    """What stands, grouped by cause; one cause whole with ?cause=, acknowledged ones with ?acknowledged=1."""
    text = text_filter(request)
    acknowledged = request.GET.get("acknowledged") == "1"
    problems = services.open_problems(request.user).filter(acknowledged_at__isnull=not acknowledged)
    if text:
        problems = problems.filter(text__icontains=text)
    context: dict[str, Any] = {"q": text, "acknowledged": acknowledged}
    cause = request.GET.get("cause", "").replace("\0", "")[:40]
    if cause:
        page = Paginator(problems.filter(cause=cause), PAGE).get_page(request.GET.get("page"))
        rows = tuple(rows_of(page, request.user))
        context |= {"page": page, "cause": cause}
        since = min((problem.first_seen_at for problem in page), default=None)
        context["groups"] = [Group(cause, cause_of(cause), page.paginator.count, since, rows)] if rows else []
    else:
        context["groups"] = grouped_by_cause(problems, request.user)
    listed = [row.problem for group in context["groups"] for row in group.rows]
    context["acknowledgeable"] = services.acknowledgeable(request.user, listed)
    return render(request, "networks/problems.html", context)


@require_safe
def one_problem(request: HttpRequest, problem_id: int) -> HttpResponse:
    """One problem with the drafts that would mend it, each with what comes of it and whether she may."""
    problem = _problem_or_404(request, problem_id)
    ways = services_mend.offered(request.user, problem)
    may_draft = on_own_servers(request.user, [one.way.fix.edits for one in ways])
    context = {
        "row": rows_of([problem], request.user)[0],
        "cause": cause_of(problem.cause),
        "ways": list(zip(ways, may_draft, strict=True)),
    }
    return render(request, "networks/problem.html", context)


@require_POST
def mend(request: HttpRequest, problem_id: int) -> HttpResponse:
    """Put the edits of an offered way into the user's draft."""
    problem = _problem_or_404(request, problem_id)
    wanted = request.POST.get("token", "")
    found = services_mend.offered(request.user, problem)
    one = next((one for one in found if one.token == wanted), None)
    if one is None:
        messages.error(request, "The situation has changed since: look at what would mend it again.")
        return redirect("networks:problem", problem.pk)
    stage(request, one.way.fix.edits, f"In your draft: {one.way.fix.text}.")
    return redirect("networks:draft")


def _problem_or_404(request: HttpRequest, problem_id: int) -> StandingProblem:
    return get_object_or_404(services.open_problems(request.user), pk=problem_id)


@require_safe
@polled
def badge(request: HttpRequest) -> HttpResponse:
    """How many problems wait, for the sidebar: asked for by itself, so that no page is slower for it."""
    context = {"waiting": services.waiting_count(request.user)}
    response = render(request, "networks/inc/problem_badge.html", context)
    response["Cache-Control"] = "private, no-cache"
    return response


@require_POST
def acknowledge(request: HttpRequest) -> HttpResponse:
    """Acknowledge the ticked problems with a reason, or take that back."""
    ticked = numbers(request.POST.getlist("problem")[:1000])
    note = " ".join(request.POST.get("note", "").replace("\0", "").split())[:300]
    is_back = request.POST.get("action") == "withdraw"
    try:
        if not ticked:
            messages.info(request, "Tick the problems first.")
        elif is_back:
            done = services.withdraw(user_of(request), ticked)
            messages.success(request, f"{_counted(done)} waiting again.")
        else:
            done = services.acknowledge(user_of(request), ticked, note)
            messages.success(request, f"{_counted(done)} acknowledged until mended.")
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    response = redirect("networks:problems")
    cause = request.POST.get("cause", "")
    parts = [f"cause={cause}"] if cause in CAUSES else []
    parts += ["acknowledged=1"] if is_back else []
    response["Location"] += f"?{'&'.join(parts)}" if parts else ""
    return response


def _counted(number: int) -> str:
    return f"{number} problem{'s are' if number != 1 else ' is'}"
