"""Virtual networks in the global search."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Case, Q, When
from django.urls import reverse

from networks.models import VirtualNetwork
from nodes.querysets import AnyUser
from vnetpanel.search import Found


def hits(user: AnyUser, text: str, limit: int) -> Iterator[Found]:
    """Networks by a piece of their name, description or bridge name, which every user may see. One query."""
    if not getattr(user, "is_active", False):
        return
    found = VirtualNetwork.objects.filter(
        Q(name__icontains=text) | Q(description__icontains=text) | Q(bridge__istartswith=text)
    ).order_by(Case(When(Q(name__iexact=text) | Q(bridge__iexact=text), then=0), default=1), "name")
    for row in found[: max(3, limit // 3)]:
        detail = " ".join(filter(None, (row.bridge, row.description)))
        address = reverse("networks:detail", args=[row.pk])
        yield Found("virtual network", "network", row.name, detail, "", address)
