"""Finding what is wrong anywhere, and keeping the rows of the Problems page true to it.

Run on schedule. The rules are asked about the whole design only when something that they depend on has
changed; the other sources are a query each.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef
from django.utils import timezone

from networks import gate
from networks.choices import MeasurementState, OperationState
from networks.desired import head, head_number
from networks.domain.intent import HINT, Intent
from networks.domain.inventory import Inventory
from networks.domain.rules import problems_of
from networks.domain.state import Desired
from networks.engine.disagreements import close_outdated
from networks.engine.subjects import subject_rows
from networks.intents import breached, intent_subject, servers_meant, stored
from networks.inventory_rows import inventory, servers_named
from networks.models import (
    Disagreement,
    Drift,
    Measurement,
    NetworkIntent,
    Operation,
    ProblemCheck,
    StandingProblem,
    VirtualNetwork,
)
from networks.services.judge import count
from nodes.choices import ServerState
from nodes.models import Adapter, Container, PhysicalServer
from nodes.querysets import named_on

KEPT = timedelta(days=90)
"""How long an ended problem is remembered."""
FOLLOW_TRIES = 3
"""vzctl's configuration may lag a moment; after so many tries somebody should look."""
REST = 20
"""Asking the rules takes at most one part in so many of the worker's time."""
MOST_NAMED = 20
"""So many subjects of one problem are kept as links."""


@dataclass(frozen=True, slots=True)
class Found:
    """One problem as a source gives it."""

    cause: str
    severity: str
    text: str
    hint: str = ""
    subjects: tuple[dict[str, Any], ...] = ()
    variant: str = ""
    """Tells apart problems of one cause about the same things, such as IPv4 and IPv6."""
    also: frozenset[int] = frozenset()
    """Servers that the text names beside the subjects'."""
    detail: str = ""
    """That of the rule's problem."""

    @property
    def key(self) -> str:
        """The same problem has the same key at the next check, whatever its sentence says by then.

        A pair or an intent is left out: its problem's variant names it.
        """
        named = (subject for subject in self.subjects if subject["kind"] not in ("pair", "intent"))
        about = sorted(json.dumps(subject, sort_keys=True) for subject in named)
        # Without one the key is what it was before there were any: stored rows keep their acknowledgement.
        told_apart = [self.variant, self.detail] if self.detail else [self.variant]
        return hashlib.sha256("\n".join([self.cause, *told_apart, *about]).encode()).hexdigest()

    @property
    def servers(self) -> frozenset[int]:
        """All that its text names."""
        return self.also | frozenset(s["server"] for s in self.subjects if "server" in s)


Source = Callable[[], Iterator[Found]]


def check() -> int:
    """Look for problems and store what has come and gone; how many stand."""
    now = timezone.now()
    version = rules_version()
    last = ProblemCheck.objects.order_by("-pk").first()
    is_same = last is not None and last.version == version
    by_rule = None if is_same or time.monotonic() < _Rest.until else list(_timed(_of_rules_anew))
    found = [one for source in SOURCES for one in source()]
    try:
        with transaction.atomic():
            _store(found, _open(by_rules=False), now)
            if by_rule is not None:
                _store(by_rule, _open(by_rules=True), now)
                ProblemCheck.objects.update_or_create(pk=1, defaults={"version": version, "at": now})
            StandingProblem.objects.filter(ended_at__lt=now - KEPT).delete()
    except IntegrityError:
        # Another worker has just stored the same; its rows are as good.
        pass
    return StandingProblem.objects.open().count()


def check_intents() -> None:
    """Judge the intents at once, not at the next check: after a Change, and after a measurement."""
    intents = stored()
    if not intents:
        return
    newest = head()
    known = inventory(servers_named(newest.state) | servers_meant(intents))
    found = list(_of_intents(newest.state, known, intents))
    try:
        with transaction.atomic():
            standing = {key: row for key, row in _open(by_rules=True).items() if row.cause == "breach"}
            _store(found, standing, timezone.now())
    except IntegrityError:
        pass


# --- the rules ---


class _Rest:
    """When this process may ask the rules again: nothing is lost with it but one asking more."""

    until = 0.0


def _timed(source: Source) -> Iterator[Found]:
    """The problems; then a rest, so that a large installation does not keep the worker from its work."""
    began = time.monotonic()
    yield from source()
    now = time.monotonic()
    _Rest.until = now + REST * (now - began)


OTHER_CAUSES = frozenset({"drift", "behind", "needs-attention", "in-doubt", "follow", "disagreement"})
"""Causes that are not the rules'."""


FORM = 2
"""Counted up when what is stored of a problem changes, so that those that stand get it with an update."""


def rules_version() -> str:
    """Changes whenever the rules could say something else."""
    # VLAN adapters are on their base's. Which adapter is where, not how many are: two may change places.
    wired = Adapter.objects.exclude(segment=None).order_by("pk")
    known = [
        FORM,
        head_number(),
        list(PhysicalServer.objects.order_by("pk").values_list("pk", "name", "os", "look__digest")),
        list(wired.values_list("pk", "segment", "segment__name")),
        list(NetworkIntent.objects.order_by("pk").values_list("pk", "network__name")),
        list(Measurement.objects.filter(state=MeasurementState.DONE).values_list("pk", flat=True)[:1]),
    ]
    return hashlib.sha256(json.dumps(known, default=str).encode()).hexdigest()


def _of_rules_anew() -> Iterator[Found]:
    """The rules; and first, as it depends on the same, the end of disagreements with what is over."""
    close_outdated()
    yield from of_rules()


def of_rules() -> Iterator[Found]:
    """What the rules and intents say of desired as it is, on what is there."""
    newest, intents = head(), stored()
    known = inventory(servers_named(newest.state) | servers_meant(intents))
    problems = problems_of(newest.state, known)
    count(problems)
    for problem in problems:
        # The rule about subnets has a code for each IP version.
        cause = problem.code.removesuffix("-4").removesuffix("-6")
        subjects = tuple(subject_rows(problem.subjects))
        yield Found(
            cause,
            problem.severity,
            problem.text,
            problem.hint,
            subjects,
            variant=problem.code,
            detail=problem.detail,
        )
    yield from _of_intents(newest.state, known, intents)


def _of_intents(state: Desired, known: Inventory, intents: Collection[Intent]) -> Iterator[Found]:
    """Intents that do not hold: as decided, as observed or as measured."""
    for breach, where in breached(state, known, intents):
        text = breach.text if where == "desired" else f"As {where}: {breach.text}"
        subjects = (intent_subject(breach.intent, where), *subject_rows(breach.subjects))
        variant = f"{breach.intent} {where}"
        yield Found("breach", "refuse", text, HINT, subjects, variant, breach.servers)


# --- other sources ---


def of_servers() -> Iterator[Found]:
    """Servers that the last look could not read."""
    well = (ServerState.OK, ServerState.INVENTORY_ONLY, ServerState.NEW, ServerState.WAITING)
    rows = PhysicalServer.objects.filter(is_enabled=True).exclude(state__in=well)
    for pk, name, state, reason in rows.values_list("pk", "name", "state", "state_reason"):
        text = f"{name}: {reason}" if reason else f"{name}: {ServerState(state).label}."
        yield Found(f"server-{state}", "refuse", text, subjects=({"kind": "server", "server": pk},))


def of_programs() -> Iterator[Found]:
    """Servers whose root-owned programs are not those of this panel: looks go on, Changes are refused."""
    rows = PhysicalServer.objects.filter(is_enabled=True, credential__by_gate=True, seen_at__isnull=False)
    for pk, name in rows.exclude(programs=gate.version()).values_list("pk", "name"):
        text = f"The panel's programs on {name} are of another version: no Change can be made there."
        hint = "An administrator's login for the server updates them; the panel's own cannot."
        yield Found("server-programs", "refuse", text, hint, ({"kind": "server", "server": pk},))


def of_operations() -> Iterator[Found]:
    """Parts of Changes that did not end as they should, unless a later one on the server did.

    By their ends: one that was reviewed first may have been applied last.
    """
    later = Operation.objects.filter(
        server=OuterRef("server"),
        state=OperationState.DONE,
        ended_at__gt=OuterRef("ended_at"),
    )
    causes = {
        OperationState.BEHIND: ("behind", "missed the decision and is behind."),
        OperationState.NEEDS_ATTENTION: ("needs-attention", "needs somebody to look."),
        OperationState.IN_DOUBT: ("in-doubt", "has not said what became of its part."),
    }
    rows = Operation.objects.filter(state__in=causes).exclude(Exists(later)).exclude(server=None)
    for server, name, state, message, change in rows.values_list(
        "server", "server_name", "state", "message", "change"
    ):
        cause, words = causes[OperationState(state)]
        yield Found(cause, "refuse", f"{name} {words} {message}".strip(), subjects=_at_change(server, change))


def of_follows() -> Iterator[Found]:
    """Servers whose saved configuration vzctl does not bring to what runs."""
    rows = Operation.objects.filter(must_follow=True, follow_attempts__gte=FOLLOW_TRIES).exclude(server=None)
    for server, name, tries, change in rows.values_list("server", "server_name", "follow_attempts", "change"):
        text = f"vzctl's saved configuration on {name} does not agree with what runs after {tries} tries."
        hint = "It is tried again by itself. Until it agrees, a restarted container may come up elsewhere."
        yield Found("follow", "warn", text, hint, _at_change(server, change))


def _at_change(server: int, change: Any) -> tuple[dict[str, Any], ...]:
    return ({"kind": "server", "server": server}, {"kind": "change", "change": str(change)})


def of_drift() -> Iterator[Found]:
    """Servers that differ from what was decided: one problem each, however much differs."""
    rows = Drift.objects.open().values("server", "server__name").annotate(n=Count("pk")).order_by("server")
    for row in rows:
        what = "1 property differs" if row["n"] == 1 else f"{row['n']} properties differ"
        text = f"{what} from what was decided on {row['server__name']}."
        hint = "Repair brings the server back, adopting accepts what was found."
        subjects = ({"kind": "server", "server": row["server"]},)
        yield Found("drift", "warn", text, hint, subjects)


def of_disagreements() -> Iterator[Found]:
    """What was measured otherwise than predicted, with its likely cause."""
    for row in Disagreement.objects.filter(gone_at=None):
        subjects: list[dict[str, Any]] = []
        if row.origin and row.target:
            subjects.append({"kind": "pair", "from": row.origin, "to": row.target})
        subjects += [{"kind": "network", "network": network} for network in row.networks]
        subjects += [{"kind": "server", "server": server} for server in row.servers]
        yield Found("disagreement", "warn", row.text, row.cause, tuple(subjects), row.key)


SOURCES: tuple[Source, ...] = (of_servers, of_programs, of_operations, of_follows, of_drift, of_disagreements)


# --- storing ---


def _open(*, by_rules: bool) -> dict[str, StandingProblem]:
    rows = StandingProblem.objects.open().select_for_update()
    mine = [row for row in rows if _is_other(row.cause) != by_rules]
    return {row.key: row for row in mine}


def _is_other(cause: str) -> bool:
    return cause in OTHER_CAUSES or cause.startswith("server-")


def _store(found: Iterable[Found], standing: dict[str, StandingProblem], now: datetime) -> None:
    """Bring the rows to what was found: new ones, changed words, and an end for those that are gone."""
    wanted = {one.key: one for one in found}
    standing = _with_details(standing, wanted)
    gone = [row.pk for key, row in standing.items() if key not in wanted]
    StandingProblem.objects.filter(pk__in=gone).update(ended_at=now)
    labels = _Labels(wanted.values())
    changed = []
    for key, row in standing.items():
        one = wanted.get(key)
        if one is not None and _fill(row, one, labels):
            changed.append((row, one))
    StandingProblem.objects.bulk_update(
        [row for row, _ in changed], ("severity", "text", "hint", "subjects"), batch_size=500
    )
    # Other words may name other servers.
    _links().filter(standingproblem__in=[row.pk for row, _ in changed]).delete()
    new = [one for key, one in wanted.items() if key not in standing]
    rows = []
    for one in new:
        row = StandingProblem(cause=one.cause, key=one.key, first_seen_at=now)
        _fill(row, one, labels)
        rows.append(row)
    StandingProblem.objects.bulk_create(rows, batch_size=500)
    there = set(PhysicalServer.objects.values_list("pk", flat=True))
    through = StandingProblem.servers.through
    _links().bulk_create(
        (
            through(standingproblem_id=row.pk, physicalserver_id=server)
            for row, one in (*changed, *zip(rows, new, strict=True))
            for server in sorted(one.servers & there)
        ),
        batch_size=500,
    )


def _with_details(
    standing: Mapping[str, StandingProblem], wanted: Mapping[str, Found]
) -> dict[str, StandingProblem]:
    """The rows by key, those from before there were details by the key that their problem has now.

    Their words say which of several problems it is: nobody has to acknowledge it again.
    """
    rows = dict(standing)
    for key, one in wanted.items():
        row = None if key in rows else rows.get(replace(one, detail="").key)
        if row is not None and row.text == one.text:
            rows[key] = rows.pop(row.key)
            row.key = key
            row.save(update_fields=["key"])
    return rows


def _links() -> Any:
    """Rows that say which servers a problem's text names."""
    return StandingProblem.servers.through.objects


def _fill(row: StandingProblem, one: Found, labels: _Labels) -> bool:
    """Put the words of what was found into the row; whether that changed it."""
    new = (one.severity, one.text, one.hint, [labels.named(s) for s in one.subjects[:MOST_NAMED]])
    if (row.severity, row.text, row.hint, row.subjects) == new:
        return False
    row.severity, row.text, row.hint, row.subjects = new
    return True


class _Labels:
    """What subjects are called, kept with the problem so that the page needs no look-ups. Three queries."""

    def __init__(self, found: Iterable[Found]) -> None:
        subjects = [s for one in found for s in one.subjects]
        networks = {s["network"] for s in subjects if "network" in s}
        servers = {s["server"] for s in subjects if "server" in s}
        containers = {(s["server"], s["ctid"]) for s in subjects if "ctid" in s}
        self.networks = {
            str(pk): name
            for pk, name in VirtualNetwork.objects.filter(pk__in=networks).values_list("pk", "name")
        }
        self.servers = dict(PhysicalServer.objects.filter(pk__in=servers).values_list("pk", "name"))
        rows = Container.objects.filter(named_on(containers))
        self.containers = {
            (server, ctid): pk for server, ctid, pk in rows.values_list("server_id", "ctid", "pk")
        }

    def named(self, subject: dict[str, Any]) -> dict[str, Any]:
        """The subject with its label, and with its container's key where it has one."""
        server = self.servers.get(subject.get("server", 0), "")
        match subject["kind"]:
            case "network":
                return subject | {"label": self.networks.get(subject["network"], "a network")}
            case "change":
                return subject | {"label": "the change"}
            case "pair" | "intent":
                return subject
            case "adapter":
                return subject | {"label": f"{subject['adapter']} on {server}"}
            case "container" | "interface":
                found = self.containers.get((subject["server"], subject["ctid"]))
                named = subject | {"label": f"container {subject['ctid']} on {server}"}
                return named | ({"container": found} if found else {})
        return subject | {"label": server}
