"""Whether members of one network on different servers hear each other: whom to ask, and what it means. Pure.

Frames are what counts (ARP): whether a guest answers a ping is its own business. One member speaks for its
server, and asks a few others; what was not heard is asked once more, from both ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from networks.domain.state import InterfaceKey, NetworkId, ServerId, grouped
from networks.domain.wires import Wire
from networks.measure.answers import Heard
from networks.measure.jobs import Place

TARGETS = 6
"""One asks so many others: as many probes run at the same time, so that the silent ones cost no more time."""

Ears = Mapping[ServerId, Mapping[str, Heard]]
Answer = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Voice:
    """A running member that speaks for its server. `is_new`: the Change puts the network there."""

    network: NetworkId
    wire: Wire
    interface: InterfaceKey
    address: str
    is_new: bool

    @property
    def server(self) -> ServerId:
        return self.interface.server


@dataclass(frozen=True, slots=True)
class Question:
    """Whether the asker hears the target, as it should."""

    asker: Voice
    target: Voice

    @property
    def other_way(self) -> Question:
        return Question(self.target, self.asker)

    def answer(self, ears: Ears) -> Answer:
        here = ears.get(self.asker.server, {}).get(self.asker.interface.ctid)
        mac = here.arps.get((self.asker.interface.ifname, self.target.address)) if here else None
        return "unknown" if mac is None else "yes" if mac else "no"


@dataclass(frozen=True, slots=True)
class Deaf:
    """A server whose member nobody heard on a wire. `others`: they hear each other, so it is this one."""

    question: Question
    server: ServerId
    others: bool


def questions(voices: Iterable[Voice]) -> tuple[Question, ...]:
    """A few for each network and wire, so that every new voice is heard or hears; none where it is alone."""
    found: list[Question] = []
    for group in grouped(voices, lambda v: (v.network, v.wire)).values():
        line = sorted(group, key=lambda v: (not v.is_new, v.server))
        for first in range(0, len(line) - 1, TARGETS):
            asker = line[first]
            others = line[first + 1 : first + 1 + TARGETS]
            found += [Question(asker, other) for other in others if asker.is_new or other.is_new]
    return tuple(found)


def jobs(asked: Iterable[Question]) -> dict[ServerId, tuple[Place, ...]]:
    """What each server is asked: one place a container."""
    found: dict[ServerId, list[Place]] = {}
    for (server, ctid), some in grouped(asked, lambda q: (q.asker.server, q.asker.interface.ctid)).items():
        probes = dict.fromkeys((q.asker.interface.ifname, q.target.address) for q in some)
        found.setdefault(server, []).append(Place(ctid, (), tuple(probes)))
    return {server: tuple(places) for server, places in found.items()}


def asked_again(asked: Sequence[Question], ears: Ears) -> tuple[Question, ...]:
    """Those that were not answered, from both ends; and among those that the same one did not hear."""
    silent = [q for q in asked if q.answer(ears) == "no"]
    again = [one for q in silent for one in (q, q.other_way)]
    for some in grouped(silent, lambda q: q.asker).values():
        first, *rest = [q.target for q in some]
        again += [Question(first, other) for other in rest]
    return tuple(dict.fromkeys(again))


def deaf(first: Sequence[Question], ears: Ears, again: Sequence[Question], later: Ears) -> tuple[Deaf, ...]:
    """Servers new on a wire of which certainly nobody was heard, and that certainly nobody heard."""
    certain: dict[Question, Answer] = {q: "yes" for q in first if q.answer(ears) == "yes"}
    for q in again:
        ways = (q.answer(later), q.other_way.answer(later) if q.other_way in again else "no")
        certain[q] = "yes" if "yes" in ways else "no" if set(ways) == {"no"} else "unknown"
    found: list[Deaf] = []
    ends = [(voice, q) for q in certain for voice in (q.asker, q.target)]
    heard = {voice for voice, q in ends if certain[q] == "yes"}
    for voice, some in grouped(ends, lambda end: end[0]).items():
        about = [q for _, q in some]
        if voice.is_new and all(certain[q] == "no" for q in about):
            others = any((v.network, v.wire) == (voice.network, voice.wire) for v in heard)
            found.append(Deaf(about[0], voice.server, others))
    return tuple(found)
