"""The words of a plan for the transaction script on a server. Pure; what it answers is read in `answers.py`.

`HostPlan.render()` gives the text for the script's standard input and `parse_plan` reads it back under the
same rules as `plan.awk`, which checks every line again on the server; a test holds the two to one another.

The grammar (one line each, single spaces, ASCII, LF; `-` means none)::

    vnetpanel-plan 1
    step vlan DEV BASE VID | step bridge BR ADAPTER|- | step adopt BR ADAPTER
    step port IFACE BR|- | step rmbridge BR [ADAPTER] | step rmvlan DEV
    keep vlan DEV BASE VID | keep bridge BR ADAPTER|- | keep adopted BR ADAPTER
    save 4|7 CTID IFNAME HOSTIF BRIDGE|- | place 4|7 CTID IFNAME BRIDGE|-
    netif_add 4|7 CTID IFNAME MAC|- HOSTIF|- BRIDGE|- | netif_del 4|7 CTID IFNAME
    ipadd 4|7 CTID IFNAME ADDRESS/LENGTH | ipdel 4|7 CTID IFNAME ADDRESS/LENGTH
    end
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from networks.host.lines import (
    Adopt,
    Bridge,
    Errand,
    IpAdd,
    IpDel,
    Keep,
    KeepBridge,
    KeepVlan,
    NetifAdd,
    NetifDel,
    Place,
    Port,
    RemoveBridge,
    RemoveVlan,
    Save,
    Step,
    Vlan,
)

__all__ = [
    "HEADER",
    "MAX_BYTES",
    "MAX_LINES",
    "NO_BRIDGE_NAME",
    "Adopt",
    "BadPlan",
    "Bridge",
    "Errand",
    "HostPlan",
    "IpAdd",
    "IpDel",
    "Keep",
    "KeepBridge",
    "KeepVlan",
    "NetifAdd",
    "NetifDel",
    "Place",
    "Port",
    "RemoveBridge",
    "RemoveVlan",
    "Save",
    "Step",
    "Vlan",
    "is_txid",
    "parse_plan",
]

HEADER = "vnetpanel-plan 1"
MAX_LINES = 4000
MAX_BYTES = 262_144
NO_BRIDGE_NAME = "vn-none"
"""What vzctl 4.x saves for "in no network": its `--bridge ''` keeps the old bridge (lib/veth.c)."""

# IFNAMSIZ is 16 with the NUL. A leading "-" would read as an option; "all" and "default" are directories of
# /proc/sys/net/ipv4/conf that are not links.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_NOT_NAMES = frozenset({"all", "default", "lo"})
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
# What plan.awk can check as well; whether it is an address at all, `ip` and vzctl say.
_ADDRESS4 = re.compile(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}/[0-9]{1,2}")
_ADDRESS6 = re.compile(r"[0-9a-f:.]*:[0-9a-f:.]*/[0-9]{1,3}")
_VID = re.compile(r"[1-9][0-9]{0,3}")
_CTID = re.compile(r"[1-9][0-9]{0,9}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TXID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


class BadPlan(ValueError):
    """A plan the grammar refuses. `line` counts from 1 (0: the plan as a whole), `field` names the word."""

    def __init__(self, line: int, field_name: str, reason: str) -> None:
        super().__init__(f"line {line}, {field_name}: {reason}")
        self.line = line
        self.field = field_name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What one transaction does on one server.

    `steps` in order; `keeps` is the server's whole committed state afterwards (it replaces the former one);
    `saves` what vzctl must have saved when all is done, `errands` what is done once to containers.
    """

    steps: tuple[Step, ...] = ()
    keeps: tuple[Keep, ...] = ()
    saves: tuple[Save | Place, ...] = ()
    errands: tuple[Errand, ...] = ()

    def render(self) -> str:
        """The plan as text for standard input. Raises `BadPlan` for anything the server would refuse."""
        lines = [" ".join(item.words()) for item in (*self.steps, *self.keeps, *self.saves, *self.errands)]
        text = "\n".join([HEADER, *lines, "end"]) + "\n"
        if parse_plan(text.encode("utf-8", "surrogatepass")) != self:
            raise BadPlan(0, "plan", "a word of it reads as another")
        return text


def is_txid(text: str) -> bool:
    """Whether the script accepts this as a transaction id (a UUID is one)."""
    return _TXID.fullmatch(text) is not None


# --- reading a plan ---


def parse_plan(raw: bytes) -> HostPlan:
    """The plan in `raw`, or `BadPlan` naming the first line and field that is wrong."""
    if len(raw) > MAX_BYTES:
        raise BadPlan(0, "plan", f"longer than {MAX_BYTES} bytes")
    if not raw.endswith(b"\n"):
        raise BadPlan(0, "end", "the plan is cut short")
    lines = raw[:-1].split(b"\n")
    if len(lines) > MAX_LINES:
        raise BadPlan(0, "plan", f"more than {MAX_LINES} lines")
    for number, line in enumerate(lines, 1):
        if re.search(rb"[^!-~ ]", line) or re.search(rb"^ | $|  ", line):
            raise BadPlan(number, "line", "only printable ASCII words with single spaces")
    texts = [line.decode("ascii") for line in lines]
    if texts[0] != HEADER:
        raise BadPlan(1, "header", f"must be '{HEADER}'")
    if texts[-1] != "end":
        raise BadPlan(len(texts), "end", "the plan is cut short")
    reader = _Reader()
    for number, text in enumerate(texts[1:-1], 2):
        reader.line(number, text.split(" "))
    return reader.finish()


@dataclass(slots=True)
class _Reader:
    """Collects lines and holds the rules that span them."""

    steps: list[tuple[int, Step]] = field(default_factory=list)
    keeps: list[Keep] = field(default_factory=list)
    saves: list[Save | Place] = field(default_factory=list)
    errands: list[Errand] = field(default_factory=list)
    seen: set[tuple[str, ...]] = field(default_factory=set)
    highest: int = 0
    FIELDS: ClassVar[dict[tuple[str, str], tuple[str, ...]]] = {
        ("step", "vlan"): ("DEV", "BASE", "VID"),
        ("step", "bridge"): ("BR", "ADAPTER-"),
        ("step", "adopt"): ("BR", "ADAPTER"),
        ("step", "port"): ("IFACE", "BR-"),
        ("step", "rmbridge"): ("BR", "ADAPTER?"),
        ("step", "rmvlan"): ("DEV",),
        ("keep", "vlan"): ("DEV", "BASE", "VID"),
        ("keep", "bridge"): ("BR", "ADAPTER-"),
        ("keep", "adopted"): ("BR", "ADAPTER"),
        ("save", "4"): ("CTID", "IFNAME", "HOSTIF", "BR-"),
        ("save", "7"): ("CTID", "IFNAME", "HOSTIF", "BR-"),
        **{("place", d): ("CTID", "IFNAME", "BR-") for d in "47"},
        **{("netif_add", d): ("CTID", "IFNAME", "MAC-", "HOSTIF-", "BR-") for d in "47"},
        **{("netif_del", d): ("CTID", "IFNAME") for d in "47"},
        **{(kind, d): ("CTID", "IFNAME", "ADDRESS") for kind in ("ipadd", "ipdel") for d in "47"},
    }
    RANKS: ClassVar[dict[str, int]] = {"step": 1, "keep": 2, "save": 3, "place": 3}
    """Errands come last, in the order in which they are to be done."""

    def line(self, number: int, words: list[str]) -> None:
        kind = (words[0], words[1] if len(words) > 1 else "")
        fields = self.FIELDS.get(kind)
        if fields is None:
            raise BadPlan(number, "kind", "not a line of a plan")
        optional = 1 if fields[-1].endswith("?") else 0
        args = words[2:]
        if not len(fields) - optional <= len(args) <= len(fields):
            raise BadPlan(number, "words", "wrong number of words")
        for spec, word in zip(fields, args, strict=False):
            _check_word(number, kind, spec, word)
        value = tuple("" if word == "-" else word for word in args)
        self._once(number, kind, value)
        self._store(number, kind, value)

    def _once(self, number: int, kind: tuple[str, str], value: tuple[str, ...]) -> None:
        """Nothing is said twice: a link in two steps, two keeps or two bridges; a save."""
        group = kind[0]
        rank = self.RANKS.get(group, 4)
        if rank < self.highest:
            raise BadPlan(number, "order", "steps come first, then keeps, then saves, then errands")
        self.highest = rank
        key: tuple[str, ...] = (group, value[0])
        if group in ("save", "place", "netif_add", "netif_del"):
            key = ("save", *value[:2])
        elif rank == 4:
            key = ("address", *value)
        keys: list[tuple[str, ...]] = [key]
        if kind == ("keep", "vlan"):
            keys.append(("keep", "tag", value[1], value[2]))
        elif group == "keep" and value[1]:
            keys.append(("keep", "adapter", value[1]))
        for key in keys:
            if key in self.seen:
                raise BadPlan(number, "twice", "said before")
            self.seen.add(key)

    def _store(self, number: int, kind: tuple[str, str], value: tuple[str, ...]) -> None:
        match kind:
            case ("step", "vlan"):
                self.steps.append((number, Vlan(value[0], value[1], int(value[2]))))
            case ("step", "bridge"):
                self.steps.append((number, Bridge(*value)))
            case ("step", "adopt"):
                self.steps.append((number, Adopt(*value)))
            case ("step", "port"):
                self.steps.append((number, Port(*value)))
            case ("step", "rmbridge"):
                self.steps.append((number, RemoveBridge(*value)))
            case ("step", "rmvlan"):
                self.steps.append((number, RemoveVlan(*value)))
            case ("keep", "vlan"):
                self.keeps.append(KeepVlan(value[0], value[1], int(value[2])))
            case ("keep", _):
                self.keeps.append(KeepBridge(value[0], value[1], kind[1] == "adopted"))
            case ("place", dialect):
                self.saves.append(Place(_dialect(dialect), *value))
            case ("netif_add", dialect):
                self.errands.append(NetifAdd(_dialect(dialect), *value))
            case ("netif_del", dialect):
                self.errands.append(NetifDel(_dialect(dialect), *value))
            case ("ipadd", dialect):
                self.errands.append(IpAdd(_dialect(dialect), *value))
            case ("ipdel", dialect):
                self.errands.append(IpDel(_dialect(dialect), *value))
            case (_, dialect):
                self.saves.append(Save(_dialect(dialect), *value))

    def finish(self) -> HostPlan:
        vlans = {keep.dev: keep for keep in self.keeps if isinstance(keep, KeepVlan)}
        bridges = {keep.bridge: keep for keep in self.keeps if isinstance(keep, KeepBridge)}
        adapters = {keep.adapter for keep in bridges.values()} - {""}
        for vlan in vlans.values():
            if vlan.base in vlans or vlan.base in bridges:
                raise BadPlan(0, vlan.dev, "a VLAN needs a NIC or bond as its base")
        for bridge in bridges.values():
            if bridge.adapter in bridges:
                raise BadPlan(0, bridge.bridge, "a bridge cannot be in a bridge")
        for number, step in self.steps:
            if reason := _disagreement(step, vlans, bridges, adapters):
                raise BadPlan(number, "keep", reason)
        return HostPlan(
            tuple(step for _, step in self.steps),
            tuple(self.keeps),
            tuple(self.saves),
            tuple(self.errands),
        )


def _dialect(word: str) -> Literal["4", "7"]:
    return "4" if word == "4" else "7"


def _check_word(number: int, kind: tuple[str, str], spec: str, word: str) -> None:
    name = spec.rstrip("-?")
    if word == "-" and spec.endswith("-"):
        return
    if name == "VID":
        good = _VID.fullmatch(word) is not None and int(word) <= 4094
    elif name == "MAC":
        good = _MAC.fullmatch(word) is not None
    elif name == "ADDRESS":
        good = len(word) <= 43 and (_ADDRESS4.fullmatch(word) or _ADDRESS6.fullmatch(word)) is not None
    elif name == "CTID":
        good = _CTID.fullmatch(word) is not None or (kind[1] == "7" and _UUID.fullmatch(word) is not None)
    else:
        good = _NAME.fullmatch(word) is not None and word not in _NOT_NAMES
        good = good and not (name == "BR" and word == NO_BRIDGE_NAME)
    if not good:
        raise BadPlan(number, name, "not a valid value")


def _disagreement(
    step: Step, vlans: dict[str, KeepVlan], bridges: dict[str, KeepBridge], adapters: set[str]
) -> str:
    """Why the committed state would not be what this step makes; "" when they agree."""
    match step:
        case Vlan():
            agrees = vlans.get(step.dev) == KeepVlan(step.dev, step.base, step.vid)
        case Bridge():
            agrees = bridges.get(step.bridge) == KeepBridge(step.bridge, step.adapter)
            agrees = agrees and step.bridge not in vlans
        case Adopt():
            agrees = bridges.get(step.bridge) == KeepBridge(step.bridge, step.adapter, adopted=True)
        case Port():
            taken = step.iface in vlans or step.iface in bridges or step.iface in adapters
            agrees = not taken and (not step.bridge or step.bridge in bridges)
        case RemoveBridge():
            agrees = step.bridge not in bridges and step.bridge != step.adapter
        case RemoveVlan():
            agrees = step.dev not in vlans and step.dev not in adapters
    return "" if agrees else "does not agree with the keep lines"
