"""The words exchanged with the transaction script on a server: plans out, answers in. Pure.

`HostPlan.render()` gives the text for the script's standard input and `parse_plan` reads it back under the
same rules as `plan.awk`, which checks every line again on the server; a test holds the two to one another.
`parse_answer` reads what the script printed: strictly, bounded, never trusting its characters.

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

HEADER = "vnetpanel-plan 1"
MAX_LINES = 4000
MAX_BYTES = 262_144
MAX_ANSWER_BYTES = 524_288
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
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BadPlan(ValueError):
    """A plan the grammar refuses. `line` counts from 1 (0: the plan as a whole), `field` names the word."""

    def __init__(self, line: int, field_name: str, reason: str) -> None:
        super().__init__(f"line {line}, {field_name}: {reason}")
        self.line = line
        self.field = field_name
        self.reason = reason


class BadAnswer(ValueError):
    """The script's answer could not be read: truncated, too long, or not in its form."""


@dataclass(frozen=True, slots=True)
class Vlan:
    """Make the VLAN adapter `dev` on `base` with id `vid` (1 to 4094), or check it is just that; up."""

    dev: str
    base: str
    vid: int

    def words(self) -> tuple[str, ...]:
        return ("step", "vlan", self.dev, self.base, str(self.vid))


@dataclass(frozen=True, slots=True)
class Bridge:
    """`bridge` holds `adapter` and takes over its layer 3; "" makes it local (and releases one it holds)."""

    bridge: str
    adapter: str = ""

    def words(self) -> tuple[str, ...]:
        return ("step", "bridge", self.bridge, self.adapter or "-")


@dataclass(frozen=True, slots=True)
class Adopt:
    """An existing bridge that already holds `adapter`: checked, never changed."""

    bridge: str
    adapter: str

    def words(self) -> tuple[str, ...]:
        return ("step", "adopt", self.bridge, self.adapter)


@dataclass(frozen=True, slots=True)
class Port:
    """A container's host-side interface goes into `bridge`, or with "" out of whatever bridge it is in."""

    iface: str
    bridge: str = ""

    def words(self) -> tuple[str, ...]:
        return ("step", "port", self.iface, self.bridge or "-")


@dataclass(frozen=True, slots=True)
class RemoveBridge:
    """Empty `bridge`: its layer 3 goes back to `adapter`, every port leaves.

    `follow` deletes the bridge itself once no saved container configuration refers to it.
    """

    bridge: str
    adapter: str = ""

    def words(self) -> tuple[str, ...]:
        return ("step", "rmbridge", self.bridge, *((self.adapter,) if self.adapter else ()))


@dataclass(frozen=True, slots=True)
class RemoveVlan:
    """Delete the VLAN adapter `dev`; refused while it is in a bridge or carries an address."""

    dev: str

    def words(self) -> tuple[str, ...]:
        return ("step", "rmvlan", self.dev)


@dataclass(frozen=True, slots=True)
class KeepVlan:
    """Part of the server's committed state after this plan: this VLAN adapter."""

    dev: str
    base: str
    vid: int

    def words(self) -> tuple[str, ...]:
        return ("keep", "vlan", self.dev, self.base, str(self.vid))


@dataclass(frozen=True, slots=True)
class KeepBridge:
    """Part of the committed state: this bridge with its adapter ("" = local).

    `adopted`: the operating system makes it at boot; the replay checks it and changes nothing of it.
    """

    bridge: str
    adapter: str = ""
    adopted: bool = False

    def words(self) -> tuple[str, ...]:
        return ("keep", "adopted" if self.adopted else "bridge", self.bridge, self.adapter or "-")


@dataclass(frozen=True, slots=True)
class Save:
    """What vzctl must have saved after the commit: the `bridge` of one container interface ("" = none).

    `dialect` is vzctl's generation; `ctid` a number, or on 7+ also a UUID.
    """

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str
    host_ifname: str
    bridge: str = ""

    def words(self) -> tuple[str, ...]:
        return ("save", self.dialect, self.ctid, self.ifname, self.host_ifname, self.bridge or "-")


@dataclass(frozen=True, slots=True)
class Place:
    """What an earlier commit left vzctl to do for the interface is done for `bridge` now ("": for none).

    An interface that is still to be made is made there; a bridge that is still to be saved is not.
    """

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str
    bridge: str = ""

    def words(self) -> tuple[str, ...]:
        return ("place", self.dialect, self.ctid, self.ifname, self.bridge or "-")


@dataclass(frozen=True, slots=True)
class NetifAdd:
    """What vzctl is to do once after the commit: make a bridged interface, joined to `bridge` ("": none).

    `mac` and `host_ifname` "" leave the choice to vzctl.
    """

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str
    mac: str = ""
    host_ifname: str = ""
    bridge: str = ""

    def words(self) -> tuple[str, ...]:
        names = (self.mac or "-", self.host_ifname or "-", self.bridge or "-")
        return ("netif_add", self.dialect, self.ctid, self.ifname, *names)


@dataclass(frozen=True, slots=True)
class NetifDel:
    """What vzctl is to do once after the commit: take a bridged interface away."""

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str

    def words(self) -> tuple[str, ...]:
        return ("netif_del", self.dialect, self.ctid, self.ifname)


@dataclass(frozen=True, slots=True)
class IpAdd:
    """What is to be done once after the commit: give the interface `address` ("10.77.0.5/24").

    "venet0" is the host-routed interface. On vzctl 4 a bridged one gets it inside the running container.
    """

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str
    address: str

    def words(self) -> tuple[str, ...]:
        return ("ipadd", self.dialect, self.ctid, self.ifname, self.address)


@dataclass(frozen=True, slots=True)
class IpDel:
    """As `IpAdd`: take `address` away."""

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str
    address: str

    def words(self) -> tuple[str, ...]:
        return ("ipdel", self.dialect, self.ctid, self.ifname, self.address)


Errand = NetifAdd | NetifDel | IpAdd | IpDel
Step = Vlan | Bridge | Adopt | Port | RemoveBridge | RemoveVlan
Keep = KeepVlan | KeepBridge


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


# --- reading an answer ---

Phase = Literal["prologue", "critical", "epilogue", "follow"]
"""What comes after the commit is `follow`; what comes before is taken back if it fails."""


@dataclass(frozen=True, slots=True)
class Note:
    """A warning or refusal of the preflight: a stable `code`, and a sentence with the remedy."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command as the server will run it, for people to read."""

    phase: Phase
    text: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What `follow` found for one container interface; `reason` is "" when it agrees."""

    ctid: str
    ifname: str
    agrees: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the script. `values` are its key=value lines; a key is said once."""

    values: dict[str, str] = field(default_factory=dict)
    warnings: tuple[Note, ...] = ()
    refusals: tuple[Note, ...] = ()
    commands: tuple[Command, ...] = ()
    saved: tuple[Saved, ...] = ()

    def get(self, key: str) -> str:
        """The value of `key`, "" when it was not said."""
        return self.values.get(key, "")

    @property
    def digest(self) -> str:
        """The reviewed plan's digest (64 hex digits), "" when the answer has none."""
        return self.get("digest")

    @property
    def is_guarded(self) -> bool:
        """Whether the change needs the dead-man and confirmations (`path=guarded`)."""
        return self.get("path") == "guarded"


_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CODE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MAX_TEXT = 1000


def parse_answer(raw: bytes) -> Answer:
    """What the script printed. Raises `BadAnswer` unless it is complete (last line `done=CODE`) and in form.

    Texts are cut to `MAX_TEXT` characters and hold no control characters; they are still untrusted.
    """
    if len(raw) > MAX_ANSWER_BYTES:
        raise BadAnswer(f"more than {MAX_ANSWER_BYTES} bytes")
    lines = raw.decode("utf-8", "replace").split("\n")
    if len(lines) < 2 or lines[-1] != "" or not re.fullmatch(r"done=[0-9]{1,3}", lines[-2]):
        raise BadAnswer("the answer is cut short")
    values: dict[str, str] = {}
    notes: dict[str, list[Note]] = {"warn": [], "refuse": []}
    commands: list[Command] = []
    saved: list[Saved] = []
    for line in lines[:-1]:
        clean = _CONTROL.sub("", line)[:MAX_TEXT]
        head, _, rest = clean.partition(" ")
        if head in notes:
            code, _, text = rest.partition(" ")
            if not _CODE.fullmatch(code):
                raise BadAnswer(f"a {head} line without a code")
            notes[head].append(Note(code, text))
        elif head in ("prologue", "critical", "epilogue", "follow"):
            commands.append(Command(head, rest))  # type: ignore[arg-type]
        elif head == "saved":
            saved.append(_parse_saved(rest))
        else:
            key, equals, value = clean.partition("=")
            if not equals or not _KEY.fullmatch(key) or key in values:
                raise BadAnswer("a line that is neither key=value nor a known word")
            values[key] = value
    if "digest" in values and not _DIGEST.fullmatch(values["digest"]):
        raise BadAnswer("a digest that is not one")
    return Answer(values, tuple(notes["warn"]), tuple(notes["refuse"]), tuple(commands), tuple(saved))


def _parse_saved(rest: str) -> Saved:
    words = rest.split(" ", 3)
    if len(words) < 3 or words[2] not in ("ok", "differs"):
        raise BadAnswer("a saved line out of form")
    return Saved(words[0], words[1], words[2] == "ok", words[3] if len(words) > 3 else "")
