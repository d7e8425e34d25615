"""Drift: what differs from desired though no Change is at work, and what to do about it. Pure.

`verify.mismatches` says what differs in one look. A look is not taken at one instant, though, and servers
start containers by themselves; so what could be such a moment counts only when the next look still finds it.
"""

from __future__ import annotations

from dataclasses import dataclass

from networks.domain.adopt import Adoption, adoption
from networks.domain.inventory import ServerRef, ServerView, Subject
from networks.domain.record import record_differs
from networks.domain.state import Desired, InterfaceKey
from networks.domain.verify import MISSING, Mismatch, mismatches
from networks.domain.wanted import ours_on, wanted_on
from nodes.facts import ServerFacts

BOOT_GRACE_S = 90
"""So long after its start a server may still be busy with what its boot brings back."""

RECORD = "the server's record"
SAVED = "saved configuration"
_UNREADABLE = frozenset({"section_truncated", "unreadable", "tool_failed"})
"""Findings about the server as a whole after which facts may be missing from the look."""
_HALF_WRITTEN = frozenset({"conf_broken", "conf_dangling", "conf_missing"})
"""Findings about one container after which nothing is known of its saved configuration."""

Key = tuple[Subject, str, str]
"""(subject, property, link): what one drift is called from look to look."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One property that differs from desired; `adopt` are edits that would make desired what was found."""

    mismatch: Mismatch
    adopt: Adoption

    @property
    def key(self) -> Key:
        return key_of(self.mismatch)


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of the look before: ports by name and kernel index, and what was suspected."""

    boot_id: str = ""
    ports: frozenset[tuple[str, int]] = frozenset()
    suspects: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The drift on one server. `unsure`: why the look says nothing about it, as a sentence; "" if it does."""

    drifts: tuple[Drift, ...] = ()
    memory: Memory = Memory()
    unsure: str = ""


def judge(
    server: ServerView, desired: Desired, facts: ServerFacts, before: Memory, *, following: bool = False
) -> Judgement:
    """The drift that a look shows, given what the look before left in memory.

    Not for a server with a Change at work, or behind one. `following`: vzctl's saved configuration is still
    being brought after a Change and may differ.
    """
    if unsure := _why_unsure(facts):
        return Judgement(memory=before, unsure=unsure)
    found = [*_known(mismatches(server, desired, facts), facts, following), *_record(server, desired, facts)]
    same_boot = before if before.boot_id == facts.boot_id else Memory()
    passing = {key_of(item) for item in found if _may_pass(item, facts, same_boot)}
    drifts = tuple(
        Drift(item, adoption(item, server.id, desired, facts))
        for item in found
        if key_of(item) not in passing or key_of(item) in same_boot.suspects
    )
    return Judgement(drifts, Memory(facts.boot_id, _ports(facts), frozenset(passing)))


def key_of(item: Mismatch) -> Key:
    """What the mismatch is called from look to look."""
    return (item.subject, item.property, item.link)


def _why_unsure(facts: ServerFacts) -> str:
    if facts.transaction.pending_txid:
        return "A transaction is under way on the server."
    if facts.uptime_s < BOOT_GRACE_S:
        return "The server has just started."
    for finding in facts.findings:
        if finding.code in _UNREADABLE and not finding.subject:
            return f"The look was not complete: {finding.text}."
    return ""


def _known(found: tuple[Mismatch, ...], facts: ServerFacts, following: bool) -> list[Mismatch]:
    """Without what only says that the look could not read something, or that vzctl is still to follow."""
    half_written = {finding.subject for finding in facts.findings if finding.code in _HALF_WRITTEN}
    return [
        item
        for item in found
        if not (isinstance(item.subject, InterfaceKey) and item.subject.ctid in half_written)
        and not (following and item.property == SAVED)
    ]


def _record(server: ServerView, desired: Desired, facts: ServerFacts) -> list[Mismatch]:
    """The server's own record decides what its next boot brings back."""
    if server.os == "windows":
        return []
    wanted = wanted_on(server.id, desired, facts, ours_on(server.id, facts, desired), desired)
    lacks, beyond = record_differs(wanted, facts)
    subject = ServerRef(server.id)
    return [
        *(Mismatch(subject, RECORD, line, MISSING, link=line) for line in sorted(lacks)),
        *(Mismatch(subject, RECORD, "not recorded", line, link=line) for line in sorted(beyond)),
    ]


def _may_pass(item: Mismatch, facts: ServerFacts, before: Memory) -> bool:
    """Whether a container that starts, or vzctl that writes, may look like this for a moment."""
    match item.property:
        case "port" if item.observed != MISSING:
            # A port keeps its index for life: one that was there at the last look is not just being made.
            link = facts.link(item.link)
            return link is None or (link.name, link.index) not in before.ports
        case "port" | "interface" | "mode":
            return True
        case property_ if property_ == SAVED:
            return True
    return False


def _ports(facts: ServerFacts) -> frozenset[tuple[str, int]]:
    ends = {i.host_ifname for c in facts.containers for i in c.interfaces if i.host_ifname}
    return frozenset((link.name, link.index) for link in facts.links if link.name in ends)
