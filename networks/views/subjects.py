"""What a problem is about, as links to its pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from django.urls import reverse

from networks.domain.rules import Problem
from networks.engine.subjects import subject_rows
from networks.models import Change, VirtualNetwork
from nodes.models import Container, PhysicalServer
from nodes.querysets import AnyUser, named_on

MOST_LINKS = 20
"""A problem of a thousand servers is not read link by link."""


def with_links(problems: Iterable[Problem], user: AnyUser) -> list[dict[str, Any]]:
    """Problems as the templates take them, each with `links` to what is in the way."""
    rows = [
        {**asdict(problem), "subjects": subject_rows(problem.subjects)} | {"key": problem.code}
        for problem in problems
    ]
    return link_rows(rows, user)


def link_rows(rows: Iterable[Mapping[str, Any]], user: AnyUser) -> list[dict[str, Any]]:
    """Stored problems with `links` [(address, text)] of their subjects that the user may see.

    Three queries for all together.
    """
    found = [dict(row) for row in rows]
    subjects = [subject for row in found for subject in row.get("subjects", ())]
    networks = dict(
        VirtualNetwork.objects.filter(
            pk__in={s["network"] for s in subjects if s["kind"] == "network"}
        ).values_list("pk", "name")
    )
    names = {str(pk): name for pk, name in networks.items()}
    seen = PhysicalServer.objects.visible_to(user)
    servers = dict(
        seen.filter(pk__in={s["server"] for s in subjects if "server" in s}).values_list("pk", "name")
    )
    named = {(s["server"], s["ctid"]) for s in subjects if "ctid" in s and s["server"] in servers}
    rows = Container.objects.filter(named_on(named)).values_list("server_id", "ctid", "pk")
    containers = {(server, ctid): pk for server, ctid, pk in rows}
    for row in found:
        links = (_link(subject, names, servers, containers) for subject in row.get("subjects", ()))
        row["links"] = list(dict.fromkeys(link for link in links if link))[:MOST_LINKS]
    return found


def told_of_change(change: Change, user: AnyUser) -> tuple[list[dict[str, Any]], int]:
    """A Change's stored problems for one reader, with links, and how many more name what she may not see.

    They were worded for their author, who is told all of them.
    """
    rows = [dict(row) for row in change.problems]
    if change.author_id == user.pk or getattr(user, "is_superuser", False):
        return link_rows(rows, user), 0
    named = [_servers_of(row) for row in rows]
    everywhere = frozenset().union(*named)
    visible = PhysicalServer.objects.visible_to(user).filter(pk__in=everywhere)
    hidden = everywhere - set(visible.values_list("pk", flat=True))
    told = [row for row, servers in zip(rows, named, strict=True) if not servers & hidden]
    return link_rows(told, user), len(rows) - len(told)


def result_for(change: Change, user: AnyUser) -> str:
    """How a Change ended, in words that may name any server: for its author, and whoever sees all servers."""
    if change.author_id == user.pk or getattr(user, "is_superuser", False) or not change.result:
        return change.result
    if PhysicalServer.objects.visible_to(user).count() == PhysicalServer.objects.count():
        return change.result
    return "Why is told to its author, and to those who see all physical servers."


def _servers_of(row: Mapping[str, Any]) -> frozenset[int]:
    subjects = (subject["server"] for subject in row.get("subjects", ()) if "server" in subject)
    return frozenset(subjects).union(row.get("also", ()))


def _link(
    subject: Mapping[str, Any],
    networks: Mapping[str, str],
    servers: Mapping[int, str],
    containers: Mapping[tuple[int, str], int],
) -> tuple[str, str] | None:
    if subject["kind"] == "network":
        network = subject["network"]
        if network not in networks:
            return None
        return reverse("networks:detail", args=[network]), networks[network]
    server = subject["server"]
    if server not in servers:
        return None
    if subject["kind"] == "adapter":
        return reverse(
            "networks:server_adapters", args=[server]
        ), f"{subject['adapter']} on {servers[server]}"
    if "ctid" in subject and (server, subject["ctid"]) in containers:
        pk = containers[server, subject["ctid"]]
        return reverse("nodes:container", args=[pk]), f"container {subject['ctid']} on {servers[server]}"
    return reverse("nodes:server", args=[server]), servers[server]
