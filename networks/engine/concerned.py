"""What is measured after a Change: the servers that took part, and the networks that it touched everywhere.

A network's members on servers that had no part in it may have lost those that had one.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q

from networks.choices import ChangeState, OperationState
from networks.desired import at_revision, head
from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import Desired, Edit, NetworkId, ServerId
from networks.domain.touched import networks_touched
from networks.domain.visibility import HostKey
from networks.engine.decide import wave_edits
from networks.measure.plan import MOST_TARGETS
from networks.models import Change
from networks.services.sight import Sight, hosts_of_network, hosts_of_servers, segments_of, servers_of_point
from networks.state_json import load_edits
from nodes.choices import ServerOS
from nodes.models import PhysicalServer

WHOLE = (ChangeState.DONE, ChangeState.BEHIND)
"""Ends of Changes of which everything was decided."""


def servers_to_measure(change: Change) -> list[ServerId]:
    """Servers of what was decided of the Change, and those that the networks are on; none if nothing was.

    Only such as the panel may ask.
    """
    own = _own(change)
    if not own:
        return []
    before, after = at_revision(change.base), head().state
    there = own.union(*(after.servers_of(network) for network in _networks(change, own, before, after)))
    asked = PhysicalServer.objects.filter(pk__in=there, os=ServerOS.LINUX, is_enabled=True)
    return sorted(asked.values_list("pk", flat=True))


def hosts_to_measure(found: Sight, change: Change, servers: Collection[ServerId]) -> list[HostKey]:
    """The members of the networks that the Change touched, before and after it, and what servers are there.

    And where that is not too much already, whatever else is on the Change's own servers.
    """
    own = _own(change) & set(servers)
    before, after = at_revision(change.base), found.desired
    networks = sorted(_networks(change, own, before, after))
    concerned: dict[HostKey, None] = {}
    for network in networks:
        once = (ContainerKey(m.interface.server, m.interface.ctid) for m in before.members_of(network))
        concerned |= dict.fromkeys((*hosts_of_network(found, network), *sorted(once)))
    concerned |= dict.fromkeys((*map(ServerRef, sorted(own)), *segments_of(found.visibility, own)))
    keys = [key for key in concerned if set(servers_of_point(key)) <= set(servers)]
    every = list(dict.fromkeys((*hosts_of_servers(found.visibility, own), *keys)))
    return every if len(every) <= MOST_TARGETS or not networks else keys


def _own(change: Change) -> frozenset[ServerId]:
    """Servers whose part was decided, or that may differ from what was, as they could not take it back."""
    parts = change.operations.exclude(server=None)
    if change.state not in WHOLE:
        decided = Q(wave__in=_waves(change))
        parts = parts.filter(decided | Q(state=OperationState.NEEDS_ATTENTION))
    return frozenset(pk for pk in parts.values_list("server_id", flat=True) if pk is not None)


def _waves(change: Change) -> list[int]:
    return sorted(change.decisions.values_list("wave", flat=True))


def _networks(
    change: Change, own: Collection[ServerId], before: Desired, after: Desired
) -> frozenset[NetworkId]:
    """Networks that the decided edits touch, and all that are on servers that were repaired."""
    edits: tuple[Edit, ...] = (
        load_edits(change.edits) if change.state in WHOLE else wave_edits(change, *_waves(change))
    )
    repaired = {
        network for server in own if server in change.repairs for network in after.networks_on(server)
    }
    return networks_touched(edits, before, after) | repaired
