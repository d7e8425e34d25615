"""The intent of a virtual network: what it is meant to do, and whether that holds."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from networks.domain.doubts import doubt
from networks.domain.intent import Intent, breaches, said
from networks.intents import intent_of
from networks.looking_back import then
from networks.models import NetworkIntent, VirtualNetwork
from networks.models.intents import IntentKind
from networks.points import UnknownPoint, offers
from networks.services import intents as services
from networks.services.errors import Conflict, NotAllowed
from networks.services.problems import Breached, breached_intents
from networks.services.sight import Sight, servers_of_point, sight
from networks.slices import of_network
from networks.views.gate import may_change, network_or_404, user_of
from vnetpanel.past import has_a_past

HIDDEN = "It is breached on physical servers that you may not see."


@require_http_methods(["GET", "HEAD", "POST"])
@has_a_past
def intent(request: HttpRequest, network_id: uuid.UUID) -> HttpResponse:
    """What is meant, with the state of each as the user's draft would have it; and the form for more.

    In the past: whether what is meant today held then. What was meant then is not kept.
    """
    network = network_or_404(request.user, network_id)
    row = VirtualNetwork.objects.filter(pk=network_id).first()
    typed = {name: request.POST.get(name, "") for name in ("kind", "source", "target")}
    context: dict[str, Any] = {"typed": typed}
    if request.method == "POST" and row is not None:
        error = _added(request, row, typed)
        if not error:
            return redirect("networks:intent", network.id)
        context["error"] = error
    context |= {
        "network": network,
        "is_stored": row is not None,
        "kinds": IntentKind.choices,
        "may_change": row is not None and may_change(request.user, network_id),
        **_held(request, network_id),
    }
    if context["may_change"]:
        context["offers"] = offers(request.user)
    status = 422 if "error" in context else 200
    return render(request, "networks/intent.html", context, status=status)


def _added(request: HttpRequest, row: VirtualNetwork, typed: dict[str, str]) -> str:
    """Store what was typed; why not, if it could not be."""
    if typed["kind"] not in IntentKind.values:
        return "Choose what is meant."
    try:
        services.add_intent(user_of(request), row, typed["kind"], typed["source"], typed["target"])
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except (UnknownPoint, Conflict) as error:
        return str(error)
    messages.success(request, "It is checked from now on: at every review, after every change and regularly.")
    return ""


def _held(request: HttpRequest, network_id: uuid.UUID) -> dict[str, Any]:
    """Each intent in words, whether it holds, and why it does not or is not known to."""
    rows = list(NetworkIntent.objects.filter(network=network_id))
    if not rows:
        return {"intents": []}
    values = {row.pk: intent_of(row) for row in rows}
    ends = [end for value in values.values() for end in (value.source, value.target) if end is not None]
    servers = {server for end in ends for server in servers_of_point(end)}
    servers |= of_network(network_id, request.user).drafted.servers_of(str(network_id))
    found = sight(request.user, sorted(servers))
    # What stands today is no part of the past.
    standing = breached_intents(request.user, network_id) if then() is None else {}
    shown = [
        {"row": row, "text": said(value, found.visibility), **_state(value, found, standing.get(value))}
        for row, value in zip(rows, values.values(), strict=True)
    ]
    return {"has_draft": found.has_draft, "intents": shown}


def _state(value: Intent, found: Sight, standing: Breached | None) -> dict[str, Any]:
    """Whether it holds: as shown and, where the shown state does not breach it, as Problems has it."""
    problem = standing.problem if standing else None
    broken = breaches([value], found.visibility, found.desired)
    if broken:
        return {"is_breached": True, "why": broken[0].text, "problem": problem}
    unknown = doubt(value, found.visibility, found.desired)
    if standing is None:
        return {"is_breached": False, "is_unknown": bool(unknown), "why": unknown}
    # What was found or measured otherwise is so whatever the model makes of the draft.
    is_mended = found.has_draft and standing.where == "desired" and not unknown
    why = problem.text if problem else HIDDEN
    return {"is_breached": True, "why": why, "problem": problem, "is_mended": is_mended}


@require_POST
def remove(request: HttpRequest, network_id: uuid.UUID, intent_id: int) -> HttpResponse:
    """Take one back."""
    network = network_or_404(request.user, network_id)
    row = get_object_or_404(NetworkIntent.objects.select_related("network"), pk=intent_id, network=network.id)
    try:
        services.remove_intent(user_of(request), row)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    messages.success(request, "It is not checked any more.")
    return redirect("networks:intent", network.id)
