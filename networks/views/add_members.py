"""Containers for a virtual network: interfaces of any server, searched and ticked.

A page of its own, which judges nothing before something is added: it costs what its list costs.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from networks.domain.state import AddMember, Network
from networks.offers import interface_keys
from networks.picker import (
    MOST_AT_ONCE,
    SORTS,
    Candidate,
    all_candidates,
    all_matching,
    candidates,
    joining_edits,
)
from networks.slices import draft_edits, of_area
from networks.views.gate import must_operate, network_or_404, refused_of, stage
from networks.views.paging import AFTER, BEFORE, key_pages, place, sort_links, text_of
from networks.views.subjects import with_links
from vnetpanel.csv_file import csv_response


@require_http_methods(["GET", "HEAD", "POST"])
def add_members(request: HttpRequest, network_id: uuid.UUID) -> HttpResponseBase:
    """The list, also as CSV; posted, the ticked interfaces join, or all free ones that the search finds."""
    network = network_or_404(request.user, network_id)
    if request.method == "POST":
        return _add(request, network)
    if request.GET.get("format") == "csv":
        return _csv(request, network)
    return _page(request, network)


def _page(
    request: HttpRequest, network: Network, *, ticked: Collection[str] = (), refused: Iterable[Any] = ()
) -> HttpResponse:
    find, sort, refused = text_of(request, "container"), text_of(request, "sort"), list(refused)
    offered = candidates(request.user, network.id, draft_edits(request.user), find, place(request), sort)
    context = {
        "network": network,
        "candidates": offered.rows,
        "candidate_pages": key_pages(request, offered),
        "candidate_sorts": sort_links(request, "sort", SORTS, BEFORE, AFTER),
        "sort": sort,
        "find_container": find,
        "ticked": ticked,
        "refused": with_links(refused, request.user),
    }
    return render(request, "networks/add_members.html", context, status=422 if refused else 200)


def _add(request: HttpRequest, network: Network) -> HttpResponse:
    ticked = request.POST.getlist("add")
    everything = "all" in request.POST
    find, drafted = text_of(request, "container"), draft_edits(request.user)
    keys = all_matching(request.user, drafted, find) if everything else interface_keys(ticked)
    more = len(keys) > MOST_AT_ONCE
    keys = keys[:MOST_AT_ONCE]
    must_operate(request, {key.server for key in keys})
    area = of_area({key.server for key in keys}, [network.id], request.user)
    edits = joining_edits(network.id, keys, area)
    if refused := refused_of(request, edits):
        return _page(request, network, ticked=ticked, refused=refused)
    if not edits:
        none = "Nothing free matches." if everything else "Tick the containers that are to be added."
        messages.info(request, none)
        return redirect(request.get_full_path())
    number = sum(isinstance(edit, AddMember) for edit in edits)
    said = f"{number} interface{'s' if number > 1 else ''} to add: in your draft."
    rest = f" More match than {MOST_AT_ONCE}, the most at a time: add the others in the same way."
    stage(request, edits, said + rest if more else said)
    response = redirect("networks:configure", network.id)
    response["Location"] += "#members"
    return response


def _csv(request: HttpRequest, network: Network) -> HttpResponseBase:
    edits = draft_edits(request.user)
    rows = all_candidates(request.user, network.id, edits, text_of(request, "container"))
    heads = (
        "CTID",
        "Name",
        "Server",
        "Interface",
        "MAC address",
        "Addresses",
        "Virtual Network now",
        "Refused",
    )
    return csv_response("containers-to-add", chain([heads], map(_row, rows)))


def _row(one: Candidate) -> tuple[str, ...]:
    row, container = one.row, one.row.container
    addresses = ", ".join(row.addresses) if row.addresses_known else "unknown"
    name = container.name or container.hostname
    where = (container.ctid, name, container.server.name, row.ifname, row.mac, addresses)
    return (*where, one.now_in, one.refused)
