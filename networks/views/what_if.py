"""What if: what changes when containers stop, cables are pulled or servers are lost."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from networks.domain.inventory import ServerRef
from networks.domain.what_if import Happening, outcome
from networks.happenings import happening_text, read_happening, words_of
from networks.points import UnknownPoint, offers
from networks.services import sight as services
from networks.services.sight import STATES
from networks.sight_page import sight_lines
from nodes.models import Adapter, PhysicalServer
from nodes.querysets import AnyUser
from vnetpanel.past import has_a_past

MOST = 8
"""So many things may happen at once."""
MOST_OFFERED = 100
_STATES = (("draft", "With your draft"), ("decided", "Decided"), ("observed", "Observed"))


@require_safe
@has_a_past
def ask(request: HttpRequest) -> HttpResponse:
    """The form, and for what was chosen (?what=, several) who loses and gains sight of whom."""
    chosen: dict[str, Happening] = {}
    context: dict[str, Any] = {"typed": request.GET.get("add", "").strip()[:200]}
    for text in [*request.GET.getlist("what"), context["typed"]]:
        try:
            if text.strip() and len(chosen) < MOST:
                happening = read_happening(text, request.user)
                chosen[happening_text(happening)] = happening
        except UnknownPoint as error:
            context |= {"error": str(error), "choices": error.choices}
    if "error" not in context:
        context["typed"] = ""
    asked = request.GET.get("state", "")
    state: services.State = next((known for known in STATES if known == asked), "draft")
    context |= {"state": state, "offers": _offers(request.user), "chosen": [], "states": _STATES}
    if chosen:
        context |= _outcome(request, chosen, state)
    response = render(request, "networks/what_if.html", context)
    response["Cache-Control"] = "private, no-store"
    return response


def _outcome(request: HttpRequest, chosen: dict[str, Happening], state: services.State) -> dict[str, Any]:
    seeds = [h.id if isinstance(h, ServerRef) else h.server for h in chosen.values()]
    found = services.sight(request.user, seeds, state)
    names = dict(PhysicalServer.objects.filter(pk__in=seeds).values_list("pk", "name"))
    result = outcome(found.visibility, chosen.values())
    return {
        "chosen": [
            {"token": token, "words": words_of(one, names), "without": [t for t in chosen if t != token]}
            for token, one in chosen.items()
        ],
        "beside": sight_lines(result.beside),
        "with_it": sight_lines(result.with_it),
        "state": found.state,
        "states": _STATES if found.has_draft else _STATES[1:],
    }


def _offers(user: AnyUser) -> list[tuple[str, str]]:
    """What the form suggests: servers, containers, and adapters that carry a network."""
    points = [(offer.text, offer.label) for offer in offers(user) if offer.text != "other hosts"]
    servers = PhysicalServer.objects.visible_to(user).values("pk")
    adapters = Adapter.objects.filter(server__in=servers, gone_at=None).select_related("server")
    rows = adapters.order_by("server__name", "name")[:MOST_OFFERED]
    return points + [(f"{row.name} on {row.server}", "Network Adapter") for row in rows]
