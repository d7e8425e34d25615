"""Where it is not known whether an intent holds, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from networks.domain import words
from networks.domain.intent import Intent, answers, containers, members_alike, others
from networks.domain.inventory import ContainerKey
from networks.domain.state import Desired, NetworkId
from networks.domain.visibility import HostKey, Visibility


def doubt(intent: Intent, sight: Visibility, state: Desired) -> str:
    """Why it is not known whether an intent holds that nothing breaches, in a sentence; "" if it holds."""
    if state.network(intent.network) is None:
        return ""
    match intent.kind:
        case "isolated":
            found = _of_isolation(sight, state, intent.network)
        case "together":
            found = _of_togetherness(sight, state, intent.network)
        case "sees":
            found = _of_sight(intent, sight)
    return next(found, "")


def _of_isolation(sight: Visibility, state: Desired, network: NetworkId) -> Iterator[str]:
    for one in (key for asked, _ in members_alike(sight, state, network) for key in asked):
        for other in others(sight):
            by_ip, by_frames = answers(one, other, sight)
            if by_ip == "unknown":
                yield sight.reaches(one, other).text
            elif by_frames == "unknown":
                yield sight.shares_layer2(one, other).text
        # Of a segment without a name there are no other hosts that could be asked about.
        host = sight.host(one)
        if host is not None and host.up is not False and sight.world.may_lead_out(host):
            name = words.network(network, state)
            yield f"Whether {name} reaches other hosts is unknown: nobody has named the segment it leads to."


def _of_togetherness(sight: Visibility, state: Desired, network: NetworkId) -> Iterator[str]:
    groups = sight.groups(key for key in containers(state, network) if _may_run(sight, key))
    pairs: list[tuple[HostKey, HostKey]] = [
        *((a.first, b.first) for a, b in product(groups, groups) if a is not b),
        *((group.members[0], group.members[1]) for group in groups if len(group.members) > 1),
    ]
    for pair in pairs:
        if sight.answer(*pair) == "unknown":
            yield sight.reaches(*pair).text


def _may_run(sight: Visibility, key: ContainerKey) -> bool:
    host = sight.host(key)
    return host is not None and host.up is not False


def _of_sight(intent: Intent, sight: Visibility) -> Iterator[str]:
    if intent.source is None or intent.target is None:
        return
    if sight.answer(intent.source, intent.target) == "unknown":
        yield sight.reaches(intent.source, intent.target).text
