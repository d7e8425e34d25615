"""What the model answers: yes, no or unknown, why, and what would change it. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from networks.domain.inventory import ContainerKey, ServerRef, Subject
from networks.domain.state import Edit, InterfaceKey, ServerId

Answer = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True, order=True)
class OtherHosts:
    """Whatever else is on a physical segment, untagged: the manual's "other hosts"."""

    segment: int


HostKey = ContainerKey | ServerRef | OtherHosts
EndPoint = HostKey | InterfaceKey
"""Whom a question is about. An interface stands for its container on that interface alone."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How to see that a hop is as it is said: a command, where to run it, and what it shows.

    `ctid` is set where the command looks inside a container of the server.
    """

    server: ServerId
    command: str
    shows: str
    ctid: str = ""


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a path. `ok` False: the path ends here; None: whether it goes on is unknown."""

    text: str
    ok: bool | None = True
    subject: Subject | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Forwards:
    """By hand: the container forwards IPv4 packets between its interfaces."""

    host: ContainerKey


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """By hand: the container sends what is for elsewhere to `via`, out of its interface `dev`."""

    host: ContainerKey
    via: str
    dev: str


@dataclass(frozen=True, slots=True)
class Masquerades:
    """By hand: the router puts its own address in place of the host's, so that answers come to itself."""

    router: ContainerKey
    host: ContainerKey


ByHand = Forwards | DefaultRoute | Masquerades
"""What steps by hand come to, as far as the model can tell what follows from it."""


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to make a "no" a "yes": edits for a draft, or steps that a person takes by hand.

    Steps beside edits are what a person has to see to as well. What a fix would lead to, `trials.tried`
    predicts from its edits, or from `by_hand`.
    """

    text: str
    edits: tuple[Edit, ...] = ()
    steps: tuple[str, ...] = ()
    by_hand: tuple[ByHand, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one pair in one direction, with its reason.

    `text` is one sentence. `hops` lead from the first to the second, as far as they get; `broken` is the
    first that does not hold (None for a yes).
    """

    answer: Answer
    text: str
    hops: tuple[Hop, ...] = ()
    fixes: tuple[Fix, ...] = ()

    @property
    def broken(self) -> Hop | None:
        return next((hop for hop in self.hops if hop.ok is not True), None)
