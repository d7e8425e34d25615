"""Who sees whom: matrices of a network, a server and a group, and the reason for any pair."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from networks.domain.visibility import EndPoint
from networks.looking_back import shown_head, then
from networks.matrix import matrix
from networks.measure.plan import MOST_TARGETS
from networks.models import Change, Measurement
from networks.points import UnknownPoint, offers, point_text, read_point, spoken
from networks.services import measure
from networks.services import sight as services
from networks.services.drafts import drafted, on_own_servers
from networks.services.errors import NobodyToAsk, NotAllowed
from networks.services.sight import STATES, Sight, State, TriedFix
from networks.views.gate import group_or_404, network_or_404, server_or_404, stage, user_of
from nodes.models import PhysicalServer
from vnetpanel.htmx import polled, wants_fragment
from vnetpanel.past import has_a_past

MOST_DISAGREEMENTS = 30


def _state(request: HttpRequest) -> State:
    """The state that the page is about: what the draft would make of it, unless asked otherwise."""
    asked = request.POST.get("state") or request.GET.get("state", "")
    return next((state for state in STATES if state == asked), "draft")


@require_safe
@has_a_past
def of_network(request: HttpRequest, network_id: uuid.UUID) -> HttpResponse:
    """The containers of a network, its servers and other hosts."""
    network = network_or_404(request.user, network_id)
    servers = _servers_of_network(request, network.id)
    found = services.sight(request.user, servers, _state(request))
    keys = services.hosts_of_network(found, network.id)
    context = {"network": network, "is_empty": not found.desired.members_of(network.id)}
    return _matrix(request, "networks/network_visibility.html", found, keys, servers, context)


def _servers_of_network(request: HttpRequest, network_id: str) -> list[int]:
    state = drafted(user_of(request)) if then() is None else shown_head().state
    return sorted(state.servers_of(network_id))


@require_safe
@has_a_past
def of_server(request: HttpRequest, server_id: int) -> HttpResponse:
    """The containers of a server, the server itself and other hosts."""
    server = server_or_404(request.user, server_id)
    found = services.sight(request.user, [server.pk], _state(request))
    keys = services.hosts_of_servers(found.visibility, [server.pk])
    context = {"server": server, "group": server.group, "is_empty": not server.containers_count}
    return _matrix(request, "networks/server_visibility.html", found, keys, [server.pk], context)


@require_safe
@has_a_past
def of_group(request: HttpRequest, group_id: int) -> HttpResponse:
    """The containers of all servers of a group and of the groups below it."""
    group = group_or_404(request.user, group_id)
    servers = PhysicalServer.objects.visible_to(request.user).filter(group__path__startswith=group.path)
    pks = list(servers.values_list("pk", flat=True))
    found = services.sight(request.user, pks, _state(request))
    keys = services.hosts_of_servers(found.visibility, set(pks))
    context = {"group": group, "is_empty": not pks}
    return _matrix(request, "networks/group_visibility.html", found, keys, pks, context)


def _matrix(
    request: HttpRequest,
    template: str,
    found: Sight,
    keys: list[Any],
    asked: list[int],
    context: dict[str, Any],
) -> HttpResponse:
    """`asked`: the servers that are measured on the page."""
    # A draft is a wish, and a revision was: what was measured says nothing of either.
    is_wish = found.state == "draft" or then() is not None
    measured = {} if is_wish else measure.measured_cells()
    shown = matrix(found.visibility, keys, measured)
    servers = {server for key in keys for server in services.servers_of_point(key)}
    found_ones = measure.open_disagreements(request.user) if then() is None else ()
    open_ones = [d for d in found_ones if set(d.servers) & servers]
    context |= {"matrix": shown, "state": found.state, "has_draft": found.has_draft}
    context |= {"disagreements": open_ones[:MOST_DISAGREEMENTS]}
    return render(request, template, context | _measured(request, servers, asked))


def _measured(request: HttpRequest, servers: Collection[int], asked: Collection[int]) -> dict[str, Any]:
    """What the last measurement on those servers says, and where one is asked for: the page's own address."""
    row = measure.last_measurement(servers)
    silent = dict(row.silent) if row else {}
    more = int(silent.pop(Measurement.LEFT_OUT, 0))
    names = dict(
        PhysicalServer.objects.visible_to(request.user).filter(pk__in=silent).values_list("pk", "name")
    )
    not_asked = [(names[int(pk)], why) for pk, why in silent.items() if int(pk) in names]
    if more:
        what = "1 more group of hosts" if more == 1 else f"{more} more groups of hosts"
        not_asked.append(
            (what, f"one measurement tries {MOST_TARGETS} hosts. Measure one network or one server.")
        )
    return {
        "measurement": row,
        "is_change_told": _tells(request, row.change_id if row else None),
        "measuring": row is not None and measure.is_under_way(row),
        "silent": not_asked,
        "measure_url": f"{request.path.removesuffix('measure/')}measure/",
        "is_now": then() is None,
        "why_not": measure.why_not(request.user, asked) if then() is None else "",
    }


def _tells(request: HttpRequest, change_id: uuid.UUID | None) -> bool:
    """Whether there is such a Change that the reader may see."""
    return change_id is not None and Change.objects.visible_to(request.user).filter(pk=change_id).exists()


READ_POST = require_http_methods(["GET", "HEAD", "POST"])


def _measure(
    request: HttpRequest, servers: Collection[int], network: uuid.UUID | None = None
) -> HttpResponse:
    """Ask for a measurement; or, by htmx, how it is going."""
    if request.method != "POST":
        context = _measured(request, servers, servers) | {"was_measuring": True}
        return render(request, "networks/inc/matrix.html#measured", context)
    try:
        measure.request_measurement(user_of(request), servers, network)
        messages.success(request, "The servers are being asked. This takes about half a minute.")
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except NobodyToAsk as error:
        messages.error(request, str(error))
    return redirect(f"{request.path.removesuffix('measure/')}?state=decided")


@READ_POST
@polled
def measure_network(request: HttpRequest, network_id: uuid.UUID) -> HttpResponse:
    """Measure among the members of a network."""
    network = network_or_404(request.user, network_id)
    return _measure(request, _servers_of_network(request, network.id), network_id)


@READ_POST
@polled
def measure_server(request: HttpRequest, server_id: int) -> HttpResponse:
    """Measure among the containers of a server."""
    return _measure(request, [server_or_404(request.user, server_id).pk])


@READ_POST
@polled
def measure_group(request: HttpRequest, group_id: int) -> HttpResponse:
    """Measure among the containers of all servers of a group."""
    group = group_or_404(request.user, group_id)
    servers = PhysicalServer.objects.visible_to(request.user).filter(group__path__startswith=group.path)
    return _measure(request, list(servers.values_list("pk", flat=True)))


@require_safe
@has_a_past
@vary_on_headers("HX-Request")
def explain(request: HttpRequest) -> HttpResponse:
    """Why one sees the other, or why not: the path with evidence, the first broken hop, and ways out."""
    typed = {"from": request.GET.get("from", ""), "to": request.GET.get("to", "")}
    context: dict[str, Any] = {"typed": typed, "errors": {}, "choices": {}}
    points: dict[str, EndPoint] = {}
    for name, text in typed.items():
        try:
            if any(typed.values()):
                points[name] = read_point(text, request.user)
                typed[name] = spoken(points[name], request.user)
        except UnknownPoint as error:
            context["errors"][name] = str(error)
            context["choices"][name] = error.choices
    if len(points) == 2:
        context |= _answer(request, points["from"], points["to"])
    if wants_fragment(request):
        response = render(request, "networks/explain.html#answer", context | {"is_fragment": True})
    else:
        response = render(request, "networks/explain.html", context | {"offers": offers(request.user)})
    # Page and fragment have one address.
    response["Cache-Control"] = "private, no-store"
    return response


def _answer(request: HttpRequest, a: EndPoint, b: EndPoint) -> dict[str, Any]:
    found = _sight_of(request, a, b)
    sight = found.visibility
    verdict, frames = sight.reaches(a, b), sight.shares_layer2(a, b)
    names = dict(PhysicalServer.objects.visible_to(request.user).values_list("pk", "name"))
    is_past = then() is not None
    return {
        "verdict": verdict,
        "frames": frames,
        "hops": [_hop(hop, names) for hop in verdict.hops],
        # What was can neither be mended nor measured.
        "fixes": [] if is_past else _offered(request, services.tried(sight, a, b, verdict)),
        "points": {"from": point_text(a), "to": point_text(b)},
        "measured": None if is_past or found.state == "draft" else _measured_pair(a, b, verdict.answer),
        "origin": sight.name(a),
        "target": sight.name(b),
        "state": found.state,
        "has_draft": found.has_draft,
    }


def _offered(request: HttpRequest, fixes: list[TriedFix]) -> list[tuple[TriedFix, bool]]:
    """Each with whether the reader has the roles to put it into her draft."""
    may = on_own_servers(request.user, [one.fix.edits for one in fixes])
    return list(zip(fixes, may, strict=True))


def _measured_pair(a: EndPoint, b: EndPoint, predicted: str) -> dict[str, Any] | None:
    """What the newest measurements saw of the pair, and whether that is as predicted; None without one."""
    cells = measure.measured_cells()
    ip, frames = (cells.get((point_text(a), point_text(b), layer)) for layer in ("ip", "layer2"))
    if ip is None and frames is None:
        return None
    differs = ip is not None and predicted != "unknown" and ip != predicted
    return {"ip": ip, "frames": frames, "differs": differs}


def _hop(hop: Any, names: dict[int, str]) -> dict[str, Any]:
    """A hop with evidence from servers that the user may see."""
    shown = [
        {
            "where": names[e.server],
            "ctid": e.ctid,
            "command": f"vzctl exec {e.ctid} {e.command}" if e.ctid else e.command,
            "shows": e.shows,
        }
        for e in hop.evidence
        if e.server in names
    ]
    return {"text": hop.text, "ok": hop.ok, "evidence": shown}


def _sight_of(request: HttpRequest, a: EndPoint, b: EndPoint) -> Sight:
    seeds = [*services.servers_of_point(a), *services.servers_of_point(b)]
    return services.sight(request.user, seeds, _state(request))


@require_POST
def take_fix(request: HttpRequest) -> HttpResponse:
    """Put the edits of an offered fix into the user's draft."""
    back = f"{reverse('networks:explain')}?" + urlencode(
        {name: request.POST.get(name, "") for name in ("from", "to", "state")}
    )
    try:
        a, b = (read_point(request.POST.get(name, ""), request.user) for name in ("from", "to"))
    except UnknownPoint as error:
        messages.error(request, str(error))
        return redirect("networks:explain")
    found = _sight_of(request, a, b).visibility
    wanted = request.POST.get("token", "")
    fixes = services.tried(found, a, b, found.reaches(a, b))
    fix = next((one.fix for one in fixes if one.fix.edits and one.token == wanted), None)
    if fix is None:
        messages.error(request, "The situation has changed since: look at the ways out again.")
        return redirect(back)
    stage(request, fix.edits, f"In your draft: {fix.text}.")
    return redirect("networks:draft")
