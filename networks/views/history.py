"""What was decided: two revisions compared, the networks as of a revision, a Change reverted."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django_tables2 import Table

from networks.as_of import AsOf, as_of, network_then, networks_then
from networks.desired import head, head_number
from networks.looking_back import then
from networks.models import Change, Revision
from networks.services import history as services
from networks.services.drafts import check_allowed
from networks.services.errors import Conflict, NotAllowed
from networks.services.validate import problems
from networks.tables import NetworkThenTable
from networks.views.configure import MEMBERS_PER_PAGE, SERVERS_PER_PAGE
from networks.views.gate import change_or_404, user_of
from networks.views.paging import page_number, pages
from networks.views.subjects import with_links
from nodes.models import ServerGroup
from nodes.views.lists import answered, paged, text_filter
from vnetpanel.numbers import number

READ_WRITE = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """How two revisions differ, as the edits that make the second of the first."""
    newest = head_number()
    a, b = (
        _number(request.GET.get(name, ""), default) for name, default in (("a", newest - 1), ("b", newest))
    )
    context: dict[str, Any] = {"a": a, "b": b, "newest": newest}
    try:
        before, edits = services.difference(a, b)
    except Revision.DoesNotExist:
        context["missing"] = True
        return render(request, "networks/compare.html", context, status=404)
    found = services.revisions({a, b})
    context |= {
        "told": services.told(edits, before, request.user),
        "ends": [(number, found.get(number), _change_of(found.get(number), request)) for number in (a, b)],
    }
    return render(request, "networks/compare.html", context)


def _number(text: str, default: int) -> int:
    return max(0, default) if (given := number(text)) is None else min(given, 2**31)


def _change_of(revision: Revision | None, request: HttpRequest) -> Change | None:
    """The Change that made the revision, if the user may see it."""
    if revision is None:
        return None
    return Change.objects.visible_to(request.user).filter(decisions__revision=revision).first()


def _then(request: HttpRequest, number: int) -> AsOf:
    if (revision := then()) is not None and revision.number == number:
        return revision
    try:
        return as_of(number, request.user)
    except Revision.DoesNotExist:
        raise Http404("There is no such revision.") from None


@require_safe
def networks(request: HttpRequest, revision: int, group: ServerGroup | None = None) -> HttpResponseBase:
    """The list of virtual networks as a revision has them; nothing can be changed in it."""
    seen, text = _then(request, revision), text_filter(request)
    table = NetworkThenTable(networks_then(seen, text), order_by="name")
    return old_page(request, table, "virtual-networks", revision, {"group": group} if group else {})


def old_page(
    request: HttpRequest, table: Table, file_name: str, revision: int, context: dict[str, Any]
) -> HttpResponseBase:
    """A list of virtual networks as of then: everywhere, of a group, or of a server."""
    table.number = revision
    if response := answered(request, table, f"{file_name}-revision-{revision}"):
        return response
    context |= _banner(_then(request, revision)) | {"table": paged(request, table), "q": text_filter(request)}
    return render(request, "networks/revision.html", context)


@require_safe
def network(request: HttpRequest, revision: int, network_id: uuid.UUID) -> HttpResponse:
    """One virtual network as a revision has it: its servers and its members then."""
    seen = _then(request, revision)
    first = (page_number(request, "servers") - 1) * SERVERS_PER_PAGE
    start = (page_number(request, "members") - 1) * MEMBERS_PER_PAGE
    servers, members = slice(first, first + SERVERS_PER_PAGE), slice(start, start + MEMBERS_PER_PAGE)
    found = network_then(seen, str(network_id), servers, members)
    if found is None:
        raise Http404("There was no such virtual network.")
    context = _banner(seen) | {
        "network": found,
        "server_pages": pages(request, "servers", found.more_servers, "#servers-title"),
        "member_pages": pages(request, "members", found.more_members, "#members-title"),
    }
    return render(request, "networks/revision_network.html", context)


def _banner(seen: AsOf) -> dict[str, Any]:
    """What templates/networks/inc/as_of.html shows; of a page with `?as_of=` base.html has its own."""
    return {
        "then": seen,
        "newest": seen.newest,
        "older": reverse("networks:revision", args=[seen.number - 1]) if seen.number else "",
        "newer": reverse("networks:revision", args=[seen.number + 1]) if seen.number < seen.newest else "",
        "today": reverse("networks:list"),
    }


@READ_WRITE
def revert(request: HttpRequest, change_id: uuid.UUID) -> HttpResponse:
    """What undoing a Change would put into the draft, checked against today; and doing so."""
    user, change = user_of(request), change_or_404(request.user, change_id)
    if request.method == "POST":
        try:
            services.stage_revert(user, change, replace="replace" in request.POST)
        except Conflict as error:
            messages.error(request, str(error))
            return redirect("networks:revert_change", change.pk)
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error
        messages.success(request, "What undoes the change is in your draft. Review it.")
        return redirect("networks:draft")
    try:
        undoing = services.how_to_revert(change)
    except Conflict as error:
        messages.error(request, str(error))
        return redirect("networks:change", change.pk)
    today = head().state
    context = {
        "change": change,
        "told": services.told(undoing.edits, today, user),
        "conflicts": services.told(undoing.conflicts, today, user),
        "undone_count": len(undoing.undone),
        "problems": with_links((p for p in problems(today, undoing.edits, user) if not p.existing), user),
        "pending": services.pending_count(user),
        "lacking": _lacking(request, undoing.edits),
    }
    return render(request, "networks/revert.html", context)


def _lacking(request: HttpRequest, edits: Any) -> str:
    """Which role the user lacks for it, as a sentence; "" if none."""
    try:
        check_allowed(user_of(request), edits)
    except NotAllowed as error:
        return str(error)
    return ""
