"""What must be so after every run, whatever went wrong: servers, their records, vzctl and panel agree.

Two comparisons. Each server with what is decided, property by property, by a fresh look; and each server as a
whole (kernel, committed record, vzctl's files) with how it was every other time that the same was decided.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from django.db.models import Q
from django.utils import timezone

from chaos.verdict import Verdict
from lab.errors import LabError
from lab.lab import Lab
from networks.choices import IDLE_OPERATION_STATES, TERMINAL_CHANGE_STATES, ChangeState
from networks.desired import head
from networks.domain.drift import Drift, Memory, judge
from networks.domain.inventory import ServerView
from networks.domain.state import Desired, Edit, apply_edits
from networks.models import Behind, Change, Operation
from networks.slices import decided_on
from nodes.facts import ServerFacts
from nodes.models import PhysicalServer
from nodes.observe import LookFailed, look

CONF4 = "/proc/sys/net/ipv4/conf/*"
STATE = (
    "ip -o link; echo ==; ip -o addr show scope global; echo ==; ip neigh show proxy; echo ==;"
    " ip rule; ip -6 rule; echo ==; ip -4 route show table all; ip -6 route show table all; echo ==;"
    f" grep -sH '' {CONF4}/arp_ignore {CONF4}/rp_filter {CONF4}/proxy_arp {CONF4}/forwarding"
    " /proc/sys/net/ipv6/conf/*/disable_ipv6 /sys/class/net/*/bridge/stp_state"
    " /sys/class/net/*/bridge/forward_delay /sys/class/net/*/bridge/vlan_filtering; echo ==;"
    " grep '^keep' /etc/vnetpanel/committed 2>/dev/null; echo ==; grep -H '' /etc/vz/conf/*.conf; :"
)
"""What of a server is compared as a whole: names and values, no numbers that the kernel gives out anew."""
STARTED = (
    "vzlist -a -H -o ctid,status | while read -r c s; do [ $s = running ] && continue; sleep 2;"
    " case $(vzlist -a -H -o status $c) in *running*) continue ;; esac;"
    " if said=$(vzctl start $c 2>&1 </dev/null); then echo container $c was $s;"
    " else echo container $c does not start: $said; fi; done"
)
"""Asked twice: the server's own boot may be just starting it."""
MINUTE = "sh /var/lib/vnetpanel/transaction recover"
"""What the server's timer runs, for which nobody waits here."""
LEAKS = (
    # A watcher ends soon after its transaction. The brackets keep this grep from finding itself.
    "for f in $(grep -alsE '[v]netpanel/transaction' /proc/[0-9]*/cmdline); do"
    " c=$(tr '\\0' ' ' <$f) && [ -n \"$c\" ] && echo process $c; done 2>/dev/null;"
    " for f in /run/vnetpanel/*.lock; do [ -e $f ] || continue;"
    " flock -n $f true || echo held ${f##*/}; done;"
    ' read -r t </run/vnetpanel/pending 2>/dev/null; [ -z "$t" ] || echo pending $t; :'
)


class Oracle:
    """Remembers how each server was for each decided state."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.seen: dict[tuple[str, str], str] = {}

    def ask(self, server: PhysicalServer, verdict: Verdict) -> list[str]:
        """Add what is wrong with the server as a whole now to the verdict; which containers did not run."""
        started = self._started(server.name)
        failed = [line for line in started if "does not start" in line]
        verdict.divergent += [f"{server.name}: {line}" for line in failed]
        verdict.leaked += [f"{server.name}: {line}" for line in self._leaks(server.name)]
        verdict.divergent += self._differs(server)
        return [line for line in started if line not in failed]

    def minute(self, name: str) -> None:
        """What the server's timer does once a minute."""
        self.lab.execute(name, MINUTE, timeout_s=90)

    def _started(self, name: str) -> list[str]:
        """Containers that did not run and have been started, or cannot be, with vzctl's words."""
        return [line for line in self.lab.execute(name, STARTED, timeout_s=120).stdout.splitlines() if line]

    def _differs(self, server: PhysicalServer) -> list[str]:
        """Against every other time that the same was decided for the server."""
        key = (server.name, words(decided_on(server.pk)))
        if key not in self.seen:
            # What others are compared with must not be in need of it.
            self.minute(server.name)
        now = self.whole(server.name)
        known = self.seen.setdefault(key, now)
        for _ in range(8):
            if now == known:
                return []
            time.sleep(0.5)
            self.minute(server.name)
            now = self.whole(server.name)
        if now == known:
            return []
        # Which of the two is wrong is not known: the next one must not be judged by either.
        del self.seen[key]
        lines = difflib.unified_diff(known.splitlines(), now.splitlines(), "before", "now", lineterm="", n=0)
        return [f"{server.name} is not as the other time that this was decided: " + "\n  ".join(lines)]

    def forget(self, server: PhysicalServer) -> None:
        """What was seen of the server was not as it should be, or it has been made anew."""
        self.seen = {key: text for key, text in self.seen.items() if key[0] != server.name}

    def whole(self, name: str) -> str:
        """The server as one text."""
        return canonical(self.lab.check(name, STATE))

    def _leaks(self, name: str) -> list[str]:
        """Locks and transactions that are still held; a watcher has some seconds to end."""
        found = ["?"]
        for _ in range(20):
            found = self.lab.check(name, LEAKS).split("\n")
            found = [line for line in found if line.strip()]
            if not found:
                return []
            time.sleep(0.5)
        return found


def canonical(answer: str) -> str:
    """What STATE printed, without what the kernel gives out anew and in an order of our own.

    Here and not on the server, where each filter would be one more process.
    """
    links, addresses, proxies, rules, routes, settings, keeps, saved = (
        part.splitlines() for part in answer.split("==\n")
    )
    found = [re.sub(r"^\d+: ", "", line) for line in links]
    shown = [re.sub(r"@if\d+", "", line.partition(" qdisc")[0]) for line in found]
    ports = [match.expand(r"port \1 \2") for line in found if (match := _PORT.match(line))]
    here = [re.sub(r" *valid_lft.*", "", re.sub(r"^\d+: ", "", line)) for line in addresses]
    kept = [line for line in routes if not _PASSING.search(line)]
    # Never saved and saved as none are the same to vzctl 4.x: in no network.
    conf = [line.replace("bridge=vn-none,", "") for line in saved]
    parts = ([one for one in shown if not one.startswith("venet")], ports, here, proxies, rules, kept)
    return "\n".join(line for part in (*parts, settings, keeps, conf) for line in sorted(part))


_PORT = re.compile(r"([^@:]*).* master (\S+).*")
_PASSING = re.compile(r"linkdown|fe80::|ff00::|^anycast")


def drift_of(server: PhysicalServer, within_s: float) -> tuple[Drift, ...] | None:
    """What differs on the server by a fresh look; None if it cannot be reached in time."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            facts = look(server)
            view = ServerView(server.pk, server.name, dialect=facts.vzctl_dialect, facts=facts)
            desired = decided_on(server.pk)
            # Without memory a first judgement only suspects; the second one on the same facts says it.
            first = judge(view, desired, _settled(facts), Memory())
            return judge(view, desired, _settled(facts), first.memory).drifts
        except (LookFailed, LabError):
            if time.monotonic() > deadline:
                return None
            time.sleep(0.5)


def _settled(facts: ServerFacts) -> ServerFacts:
    """The facts as of a server that started long ago: whoever asks has waited for its boot to end."""
    return replace(facts, uptime_s=max(facts.uptime_s, 86400.0))


def text(drift: Drift) -> str:
    """A drift as a line."""
    item = drift.mismatch
    return f"{item.link or item.subject}: {item.property} is {item.observed}, not {item.desired}"


def words(desired: Desired) -> str:
    """What is decided for a server, the same text whenever the same is decided."""
    return repr(
        (
            sorted((a.network, a.adapter or "", a.bridge) for a in desired.assignments),
            sorted((m.network, m.interface) for m in desired.members),
            sorted((v.name, v.base, v.vid) for v in desired.vlans),
        )
    )


def lost_decisions(
    change: Change, before: Desired, edits: Sequence[Edit], servers: Iterable[PhysicalServer]
) -> list[str]:
    """Servers of which desired is not what the Change's end says, given what it was before."""
    now, after = head().state, apply_edits(before, edits)
    state = ChangeState(change.state)
    # What stopped between two waves, or had committed before its decision, may be either, server by server.
    allowed = [before, after] if state in (ChangeState.PARTLY, ChangeState.NEEDS_ATTENTION) else [before]
    if state in (ChangeState.DONE, ChangeState.BEHIND):
        allowed = [after]
    return [
        f"“{change}” is {state}, but desired of {server.name} is {_part(now, server.pk)}"
        for server in servers
        if _part(now, server.pk) not in [_part(one, server.pk) for one in allowed]
    ]


def _part(state: Desired, server: int) -> str:
    """One server's part of a state as a text, without the bridge names that are given at the decision."""
    return repr(
        (
            sorted((a.network, a.adapter or "") for a in state.assignments if a.server == server),
            sorted((m.network, m.interface) for m in state.members if m.interface.server == server),
            sorted((v.name, v.base, v.vid) for v in state.vlans_on(server)),
        )
    )


def open_ends(servers: Collection[int] | None = None, author: int = 0) -> dict[str, str]:
    """What of the panel's own rows has not come to an end, in words by what names it.

    With `servers` only what is of those, and Changes of `author`: others may be at work beside.
    """
    everything, here = servers is None, set(servers or ())

    def is_meant(change: Change) -> bool:
        named = here & {*change.repairs, *change.operations.values_list("server_id", flat=True)}
        return everything or change.author_id == author or bool(named)

    going = Change.objects.exclude(state__in=TERMINAL_CHANGE_STATES)
    going = going.exclude(state=ChangeState.PLANNED, is_automatic=False)
    ends = {f"change {one.pk}": f"“{one}” is {one.state}" for one in going if is_meant(one)}
    for row in Behind.objects.select_related("server"):
        if not everything and row.server_id not in here:
            continue
        ends[f"behind {row.pk} {row.missed}"] = f"{row.server.name} is behind: {row.reason}"
    held = Change.objects.filter(state__in=TERMINAL_CHANGE_STATES, lease_until__gt=timezone.now())
    for one in filter(is_meant, held):
        ends[f"lease {one.pk}"] = f"the lease of an ended change is held by {one.lease_owner}"
    for part in Operation.objects.filter(~Q(state__in=IDLE_OPERATION_STATES) | Q(must_follow=True)):
        if not everything and part.server_id not in here:
            continue
        follows = " must follow" if part.must_follow else ""
        ends[f"operation {part.pk}"] = f"{part.server_name}: {part.state}{follows}"
    return ends
