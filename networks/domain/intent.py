"""Intent: what a virtual network is meant to do, and where who sees whom breaches it. Pure.

What is not known is no breach: it is told as unknown where people look, and never blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Literal

from networks.domain import words
from networks.domain.inventory import ContainerKey, NetworkRef, ServerRef, Subject
from networks.domain.rules import Problem
from networks.domain.state import Desired, InterfaceKey, NetworkId, ServerId
from networks.domain.visibility import Answer, EndPoint, HostKey, OtherHosts, Verdict, Visibility

Kind = Literal["isolated", "together", "sees"]
MOST_TOLD = 5
"""So many pairs of one breach are named."""
Pair = tuple[EndPoint, EndPoint]
Seen = tuple[Visibility, Desired]
"""A state with who sees whom in it."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One assertion of a network. Only "sees" names a `source` and a `target`.

    "isolated": no member ever reaches other hosts by its interface in the network, neither by its addresses
    nor at layer 2, where it could take any other. "together": members that run always see each other.
    "sees": the source always reaches the target.
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


@dataclass(frozen=True, slots=True)
class _Pairs:
    """A pair that breaches an intent, and those like it: each of the `first` with each of the `second`.

    What is alike is asked and told once; what is compared is every pair.
    """

    told: Pair
    first: frozenset[EndPoint]
    second: frozenset[EndPoint]

    @staticmethod
    def of(a: EndPoint, b: EndPoint) -> _Pairs:
        return _Pairs((a, b), frozenset((a,)), frozenset((b,)))


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


def _seen_pairs(intent: Intent, measured: Measured, sight: Visibility, state: Desired) -> Iterator[_Pairs]:
    if intent.kind == "sees":
        a, b = intent.source, intent.target
        # A measurement is of whole containers.
        if isinstance(a, InterfaceKey | None) or isinstance(b, InterfaceKey | None):
            return
        if measured.get((a, b, "ip")) == "no":
            yield _Pairs.of(a, b)
        return
    running = [key for key in containers(state, intent.network) if _is_up(sight, key)]
    if intent.kind == "together":
        apart = (pair for pair in combinations(running, 2) if _is_seen(measured, pair, "ip", "no"))
        yield from (_Pairs.of(*pair) for pair in apart)
        return
    for pair in product((key for key in running if _is_all_in(key, intent, sight, state)), others(sight)):
        if _is_seen(measured, pair, "ip", "yes") or _is_seen(measured, pair, "layer2", "yes"):
            yield _Pairs.of(*pair)


def _is_seen(measured: Measured, pair: tuple[HostKey, HostKey], layer: str, answer: str) -> bool:
    return answer in (measured.get((*pair, layer)), measured.get((*pair[::-1], layer)))


def _is_all_in(key: ContainerKey, intent: Intent, sight: Visibility, state: Desired) -> bool:
    """Whether the container has no other way out than by the network, so that what it reaches is by that."""
    host = sight.host(key)
    mine = {m.interface for m in state.members_of(intent.network)}
    return host is not None and not host.host_routed and all(port.interface in mine for port in host.ports)


def others(sight: Visibility) -> list[OtherHosts]:
    """The other hosts of every physical segment that has a name."""
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


def _pairs(intent: Intent, sight: Visibility, state: Desired) -> Iterable[_Pairs]:
    """Pairs that breach it, of members that see the same together."""
    match intent.kind:
        case "isolated":
            return _reaching_out(sight, state, intent.network)
        case "together":
            return _apart(sight, state, intent.network)
    if intent.source is None or intent.target is None:
        return []
    is_apart = sight.answer(intent.source, intent.target) == "no"
    return [_Pairs.of(intent.source, intent.target)] if is_apart else []


def _reaching_out(sight: Visibility, state: Desired, network: NetworkId) -> Iterator[_Pairs]:
    for asked, alike in members_alike(sight, state, network):
        for other in others(sight):
            if one := next((key for key in asked if "yes" in answers(key, other, sight)), None):
                yield _Pairs((one, other), alike, frozenset((other,)))


def answers(a: EndPoint, b: EndPoint, sight: Visibility) -> tuple[Answer, Answer]:
    """By IP, and at layer 2."""
    return sight.answer(a, b), sight.layer2_answer(a, b)


def _apart(sight: Visibility, state: Desired, network: NetworkId) -> Iterator[_Pairs]:
    running = [key for key in containers(state, network) if _is_up(sight, key)]
    groups = sight.groups(running)
    members = [frozenset[EndPoint](group.members) for group in groups]
    for number, group in enumerate(groups):
        one, mine = group.first, members[number]
        if len(mine) > 1 and sight.answer(one, group.members[1]) == "no":
            yield _Pairs((one, group.members[1]), mine, mine)
        for other, theirs in zip(groups[number + 1 :], members[number + 1 :], strict=True):
            two = other.first
            if sight.answer(one, two) == "no":
                yield _Pairs((one, two), mine, theirs)
            elif sight.answer(two, one) == "no":
                yield _Pairs((two, one), theirs, mine)


def members_alike(
    sight: Visibility, state: Desired, network: NetworkId
) -> Iterator[tuple[tuple[InterfaceKey, ...], frozenset[EndPoint]]]:
    """For containers that see the same: the interfaces of one of them in the network, and those of all.

    Several of one container may reach different hosts: one may be off, or without an address.
    """
    mine: dict[ContainerKey, list[InterfaceKey]] = {}
    for member in state.members_of(network):
        key = ContainerKey(member.interface.server, member.interface.ctid)
        mine.setdefault(key, []).append(member.interface)
    for group in sight.groups(sorted(mine)):
        keys = [key for key in group.members if isinstance(key, ContainerKey)]
        yield tuple(mine[keys[0]]), frozenset(i for key in keys for i in mine[key])


def containers(state: Desired, network: NetworkId) -> list[ContainerKey]:
    """The containers that are members of the network."""
    keys = (ContainerKey(m.interface.server, m.interface.ctid) for m in state.members_of(network))
    return sorted(set(keys))


def _is_up(sight: Visibility, key: ContainerKey) -> bool:
    host = sight.host(key)
    return host is not None and host.up is True


def _breach(
    intent: Intent, found: Sequence[_Pairs], sight: Visibility, state: Desired, because: str = ""
) -> Breach:
    """Tell it; `because` in place of what the model says of the first pair."""
    name = words.network(intent.network, state)
    meant = {
        "isolated": f"{name} is meant never to reach other hosts",
        "together": f"Members of {name} are meant to see each other always",
        "sees": f"In the intent of {name}",
    }[intent.kind]
    pairs = tuple(one.told for one in found[:MOST_TOLD])
    told = [_told(intent, pair, sight, is_measured=bool(because)) for pair in pairs]
    more = f", and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
    verdict = _why(intent, pairs[0], sight)
    link = ", but" if intent.kind != "sees" else ":"
    subjects = dict.fromkeys(s for pair in pairs for end in pair if (s := _subject(end)))
    on_the_way = (hop.subject for hop in verdict.hops if hop.subject is not None)
    return Breach(
        intent,
        f"{meant}{link} {words.listed(told)}{more}. {because or verdict.text}",
        (NetworkRef(intent.network), *subjects),
        frozenset(id for one in (*subjects, *on_the_way) if (id := _server(one)) is not None),
        pairs,
    )


def _told(intent: Intent, pair: Pair, sight: Visibility, *, is_measured: bool) -> str:
    verb = "reaches" if intent.kind == "isolated" else "does not see"
    text = f"{_short(pair[0], sight)} {verb} {_short(pair[1], sight)}"
    return text if is_measured or not _is_of_frames(intent, pair, sight) else f"{text} at layer 2"


def _why(intent: Intent, pair: Pair, sight: Visibility) -> Verdict:
    return sight.shares_layer2(*pair) if _is_of_frames(intent, pair, sight) else sight.reaches(*pair)


def _is_of_frames(intent: Intent, pair: Pair, sight: Visibility) -> bool:
    """Whether it is by frames alone that the two reach each other, not by their addresses."""
    by_ip, by_frames = answers(*pair, sight)
    return intent.kind == "isolated" and by_ip != "yes" and by_frames == "yes"


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


def weighed(intents: Iterable[Intent], after: Seen, *before: Seen) -> tuple[Problem, ...]:
    """Breaches in the state `after`; pairs that breach in one of those `before` need not be ticked again.

    Of one intent, what is new is told apart from what is not. A pair counts as a whole, and all that are
    like it do: that the same member reaches one more segment is new, and that by addresses somebody is
    reached who was at layer 2 is not.
    """
    found: list[Problem] = []
    for intent in intents:
        if after[1].network(intent.network) is None:
            continue
        pairs = list(_pairs(intent, *after))
        if not pairs:
            continue
        known = [_Known(_pairs(intent, *old)) for old in before if old[1].network(intent.network)]
        is_known = [_is_known(one, known) for one in pairs]
        for existing in (False, True):
            part = [one for one, is_old in zip(pairs, is_known, strict=True) if is_old is existing]
            if part:
                (problem,) = problems_of([_breach(intent, part, *after)])
                found.append(replace(problem, existing=existing))
    return tuple(found)


class _Known:
    """The pairs that breached an intent in one state, so that others are found among them quickly.

    Members that see the same are one side of all their pairs: nobody is in two of them.
    """

    def __init__(self, found: Iterable[_Pairs]) -> None:
        self.side_of: dict[EndPoint, frozenset[EndPoint]] = {}
        self.sides: set[tuple[frozenset[EndPoint], frozenset[EndPoint]]] = set()
        for one in found:
            for side in (one.first, one.second):
                if self.side_of.get(next(iter(side))) is not side:
                    self.side_of.update(dict.fromkeys(side, side))
            self.sides |= {(one.first, one.second), (one.second, one.first)}


def _is_known(one: _Pairs, known: Sequence[_Known]) -> bool:
    """Whether each of those pairs is among the known, in one state or another."""

    def sides(end: EndPoint) -> tuple[frozenset[EndPoint] | None, ...]:
        return tuple(old.side_of.get(end) for old in known)

    first, second = (Counter(map(sides, side)) for side in (one.first, one.second))
    return all(
        any((a, b) in old.sides for old, a, b in zip(known, mine, theirs, strict=True))
        for mine, theirs in product(first, second)
        # One alone is no pair with itself.
        if not (one.first == one.second and mine == theirs and first[mine] == 1)
    )
