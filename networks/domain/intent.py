"""Intent: what a virtual network is meant to do, and where who sees whom breaches it. Pure.

What is not known is no breach: it is told as unknown where people look, and never blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Literal

from networks.domain import words
from networks.domain.inventory import ContainerKey, NetworkRef, ServerRef, Subject
from networks.domain.rules import Problem
from networks.domain.state import Desired, InterfaceKey, NetworkId, ServerId
from networks.domain.visibility import EndPoint, HostKey, OtherHosts, Visibility

Kind = Literal["isolated", "together", "sees"]
MOST_TOLD = 5
"""So many pairs of one breach are named."""


Pair = tuple[EndPoint, EndPoint]


@dataclass(frozen=True, slots=True)
class Intent:
    """One assertion of a network. Only "sees" names a `source` and a `target`.

    "isolated": no member ever reaches other hosts by its interface in the network. "together": members that
    run always see each other. "sees": the source always reaches the target.
    """

    network: NetworkId
    kind: Kind
    source: EndPoint | None = None
    target: EndPoint | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """Where an intent does not hold: one sentence for each pair, the first of them with the reason.

    `servers` are all that the text may name; `pairs` are those who see, or do not see, each other.
    """

    intent: Intent
    text: str
    subjects: tuple[Subject, ...] = ()
    servers: frozenset[ServerId] = frozenset()
    pairs: tuple[Pair, ...] = ()


def breaches(intents: Iterable[Intent], sight: Visibility, state: Desired) -> tuple[Breach, ...]:
    """The intents that do not hold in that state. Those of networks that the state does not have are left."""
    found = []
    for intent in intents:
        if state.network(intent.network) is None:
            continue
        pairs = list(_pairs(intent, sight, state))
        if pairs:
            found.append(_breach(intent, pairs, sight, state))
    return tuple(found)


Measured = Mapping[tuple[HostKey, HostKey, str], str]
"""What was measured of (origin, target, "ip" or "layer2"): "yes" or "no"."""


def breaches_measured(
    intents: Iterable[Intent], measured: Measured, sight: Visibility, state: Desired
) -> tuple[Breach, ...]:
    """The intents that servers were seen to breach, whatever is predicted. Not measured is no breach."""
    found = []
    for intent in intents:
        if state.network(intent.network) is None:
            continue
        pairs = list(_seen_pairs(intent, measured, sight, state))
        if pairs:
            found.append(_breach(intent, pairs, sight, state, "The servers were asked and measured it so."))
    return tuple(found)


def _seen_pairs(intent: Intent, measured: Measured, sight: Visibility, state: Desired) -> Iterator[Pair]:
    if intent.kind == "sees":
        a, b = intent.source, intent.target
        # A measurement is of whole containers.
        if isinstance(a, InterfaceKey | None) or isinstance(b, InterfaceKey | None):
            return
        if measured.get((a, b, "ip")) == "no":
            yield a, b
        return
    running = [key for key in _containers(state, intent.network) if _is_up(sight, key)]
    if intent.kind == "together":
        yield from (pair for pair in combinations(running, 2) if _is_seen(measured, pair, "ip", "no"))
        return
    for pair in product((key for key in running if _is_all_in(key, intent, sight, state)), _others(sight)):
        if _is_seen(measured, pair, "ip", "yes") or _is_seen(measured, pair, "layer2", "yes"):
            yield pair


def _is_seen(measured: Measured, pair: tuple[HostKey, HostKey], layer: str, answer: str) -> bool:
    return answer in (measured.get((*pair, layer)), measured.get((*pair[::-1], layer)))


def _is_all_in(key: ContainerKey, intent: Intent, sight: Visibility, state: Desired) -> bool:
    """Whether the container has no other way out than by the network, so that what it reaches is by that."""
    host = sight.host(key)
    mine = {m.interface for m in state.members_of(intent.network)}
    return host is not None and not host.host_routed and all(port.interface in mine for port in host.ports)


def _others(sight: Visibility) -> list[OtherHosts]:
    return sorted(key for key in sight.hosts() if isinstance(key, OtherHosts))


def said(intent: Intent, sight: Visibility) -> str:
    """The intent as a sentence about its network: "Members always see each other"."""
    match intent.kind:
        case "isolated":
            return "Never reaches other hosts"
        case "together":
            return "Members always see each other"
    source = sight.name(intent.source) if intent.source else "?"
    target = sight.name(intent.target) if intent.target else "?"
    return f"{words.sentence(source)} always sees {target}"


def _pairs(intent: Intent, sight: Visibility, state: Desired) -> Iterable[Pair]:
    """Pairs that breach it: one for each group of members that see the same."""
    match intent.kind:
        case "isolated":
            return _reaching_out(sight, state, intent.network)
        case "together":
            return _apart(sight, state, intent.network)
    if intent.source is None or intent.target is None:
        return []
    is_apart = sight.answer(intent.source, intent.target) == "no"
    return [(intent.source, intent.target)] if is_apart else []


def _reaching_out(sight: Visibility, state: Desired, network: NetworkId) -> Iterable[Pair]:
    for interface in _representatives(sight, state, network):
        for other in _others(sight):
            if sight.answer(interface, other) == "yes":
                yield interface, other


def _apart(sight: Visibility, state: Desired, network: NetworkId) -> Iterable[Pair]:
    running = [key for key in _containers(state, network) if _is_up(sight, key)]
    groups = sight.groups(running)
    for number, group in enumerate(groups):
        first = group.members[0]
        if len(group.members) > 1 and sight.answer(first, group.members[1]) == "no":
            yield first, group.members[1]
        for other in groups[number + 1 :]:
            one, two = first, other.members[0]
            if "no" in (sight.answer(one, two), sight.answer(two, one)):
                yield (one, two) if sight.answer(one, two) == "no" else (two, one)


def _representatives(sight: Visibility, state: Desired, network: NetworkId) -> list[InterfaceKey]:
    """An interface in the network for each group of containers that see the same."""
    mine: dict[ContainerKey, InterfaceKey] = {}
    for member in state.members_of(network):
        mine.setdefault(ContainerKey(member.interface.server, member.interface.ctid), member.interface)
    groups = sight.groups(sorted(mine))
    return [mine[first] for group in groups if isinstance(first := group.members[0], ContainerKey)]


def _containers(state: Desired, network: NetworkId) -> list[ContainerKey]:
    keys = (ContainerKey(m.interface.server, m.interface.ctid) for m in state.members_of(network))
    return sorted(set(keys))


def _is_up(sight: Visibility, key: ContainerKey) -> bool:
    host = sight.host(key)
    return host is not None and host.up is True


def _breach(
    intent: Intent, pairs: list[Pair], sight: Visibility, state: Desired, because: str = ""
) -> Breach:
    """Tell it; `because` in place of what the model says of the first pair."""
    name = words.network(intent.network, state)
    meant = {
        "isolated": f"{name} is meant never to reach other hosts",
        "together": f"Members of {name} are meant to see each other always",
        "sees": f"In the intent of {name}",
    }[intent.kind]
    verb = "reaches" if intent.kind == "isolated" else "does not see"
    told = [f"{_short(a, sight)} {verb} {_short(b, sight)}" for a, b in pairs[:MOST_TOLD]]
    more = f", and {len(pairs) - MOST_TOLD} more" if len(pairs) > MOST_TOLD else ""
    verdict = sight.reaches(*pairs[0])
    link = ", but" if intent.kind != "sees" else ":"
    subjects = dict.fromkeys(s for pair in pairs[:MOST_TOLD] for end in pair if (s := _subject(end)))
    on_the_way = (hop.subject for hop in verdict.hops if hop.subject is not None)
    return Breach(
        intent,
        f"{meant}{link} {words.listed(told)}{more}. {because or verdict.text}",
        (NetworkRef(intent.network), *subjects),
        frozenset(id for one in (*subjects, *on_the_way) if (id := _server(one)) is not None),
        tuple(pairs[:MOST_TOLD]),
    )


def _short(end: EndPoint, sight: Visibility) -> str:
    """Without the server: links say where it is."""
    if isinstance(end, InterfaceKey):
        end = ContainerKey(end.server, end.ctid)
    return sight.name(end, short=True)


def _server(subject: Subject) -> ServerId | None:
    match subject:
        case NetworkRef():
            return None
        case ServerRef(id=server):
            return server
    return subject.server


def _subject(end: EndPoint) -> Subject | None:
    match end:
        case InterfaceKey(server, ctid, _):
            return ContainerKey(server, ctid)
        case ContainerKey() | ServerRef():
            return end
    return None


HINT = "Change the network, or take the intent back on its page if it is not meant any more."


def problems_of(found: Iterable[Breach]) -> tuple[Problem, ...]:
    """Breaches as warnings, to be ticked at a review and listed with the other problems."""
    return tuple(
        Problem("breach", "warn", breach.text, breach.subjects, HINT, also=breach.servers) for breach in found
    )


def weighed(after: Iterable[Breach], before: Iterable[Breach]) -> tuple[Problem, ...]:
    """Breaches of a draft: what was breached before by the same pairs need not be ticked again."""
    known = {(breach.intent, breach.subjects) for breach in before}
    found = tuple(after)
    return tuple(
        replace(problem, existing=(breach.intent, breach.subjects) in known)
        for breach, problem in zip(found, problems_of(found), strict=True)
    )
