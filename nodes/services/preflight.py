"""What stands between a server and its first Change: a list of checks, each with its reason and remedy.

Computed from what the last look brought; nothing is sent to the server here. Checks come in the order in
which they can be answered: what lies behind a failed one is not known yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from nodes.choices import HostKeyState, ServerState
from nodes.facts import ServerFacts
from nodes.models import PhysicalServer
from nodes.sync import stored_facts
from nodes.sync_values import management_links

SLOW_SHELL_MS = 150.0
"""A bare `true` takes about 5 ms; a start-up file that costs more than this makes every job slow."""

NEEDED_TOOLS = ("ip", "vzctl", "vzlist", "awk", "setsid")
USEFUL_TOOLS = ("arping", "timeout")

# Findings of a look that concern Changes: what is checked, why it matters, what to do about it.
_IN_THE_WAY = {
    "forward_drop": (
        "Bridged frames are not filtered",
        "A packet filter that refuses forwarding drops the frames between a bridge's ports without a trace.",
        "Set net.bridge.bridge-nf-call-iptables and -ip6tables to 0, or accept frames between bridge ports.",
    ),
    "rule_names_link": (
        "Firewall rules",
        "Once the adapter is in a bridge, packets arrive from the bridge, and these rules no longer match.",
        "Let the rules name the bridge as well, or match by address.",
    ),
    "traffic_control": (
        "Traffic control",
        "It will count and limit the containers' traffic too, once the adapter is in a bridge.",
        "Check that its limits are meant for all traffic of the adapter.",
    ),
    "noisy_shell": (
        "Silent shell",
        "Programs that log in read what the shell prints as an answer.",
        "Remove output from the start-up files of that user's shell.",
    ),
    "foreign_hook": (
        "No other start hook",
        "Two programs that join starting containers to bridges undo each other's work.",
        "Remove EXTERNAL_SCRIPT from /etc/vz/vznet.conf if that program is not needed any more.",
    ),
    "neighbour_devs": (
        "Announcements of host-routed containers",
        "vzctl announces their addresses on the adapters named there only.",
        "Add the bridge's name to NEIGHBOUR_DEVS in vz.conf when the adapter goes into a bridge.",
    ),
}


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list: what was checked, how it came out, why it matters, what to do about it."""

    code: str
    what: str
    status: Status
    found: str = ""
    why: str = ""
    remedy: str = ""


def preflight(server: PhysicalServer) -> list[Check]:
    """The checks of a Linux server, in order; empty for a Windows server. At most two queries."""
    if not server.is_managed:
        return []
    return [*_way_in(server), *_what_is_there(stored_facts(server.pk))]


def _way_in(server: PhysicalServer) -> Iterator[Check]:
    """Reaching the server, its host key, logging in, becoming root."""
    state = ServerState(server.state)
    reason = server.state_reason
    is_trusted = server.host_keys.filter(state=HostKeyState.PINNED).exists()

    def step(
        code: str, what: str, why: str, remedy: str, bad: ServerState, before: set[ServerState]
    ) -> Check:
        if state == bad:
            return Check(code, what, Status.FAIL, reason or state.label, why, remedy)
        if state in before or (state == ServerState.WAITING and code != "host_key"):
            return Check(code, what, Status.UNKNOWN, "", why)
        return Check(code, what, Status.OK, "", why)

    unreached = {ServerState.UNREACHABLE}
    if state == ServerState.NEW and reason:
        yield Check(
            "reach", "Answers to SSH", Status.FAIL, reason, "Everything the panel does goes over SSH.",
            "Check the address, the port and firewalls on the way.",
        )  # fmt: skip
    else:
        yield step(
            "reach", "Answers to SSH", "Everything the panel does goes over SSH.",
            "Check the address, the port and firewalls on the way.", ServerState.UNREACHABLE, set(),
        )  # fmt: skip
    why = "It proves that the server is the one it was; without it a stranger could collect the login."
    if not is_trusted:
        yield Check(
            "host_key", "Host key approved", Status.FAIL, "Not approved yet.", why,
            "Compare the SHA256 shown here with ssh-keygen -lf on the server's console, then approve it.",
        )  # fmt: skip
        unreached |= {state}
    else:
        yield step(
            "host_key", "Host key approved", why,
            "If the server was reinstalled, compare the new key's SHA256 on its console and approve it.",
            ServerState.HOST_KEY_CHANGED, unreached,
        )  # fmt: skip
    unreached |= {ServerState.NEW, ServerState.HOST_KEY_CHANGED}
    yield step(
        "login", "Login accepted", "The panel logs in with the server's credential.",
        "Put the credential's public key into authorized_keys of that user, or choose another credential.",
        ServerState.LOGIN_REFUSED, unreached,
    )  # fmt: skip
    unreached |= {ServerState.LOGIN_REFUSED}
    yield step(
        "root", "Acts as root", "Network adapters, bridges and vzctl need root.",
        "Allow the user to run commands with sudo without a password (NOPASSWD), or log in as root.",
        ServerState.NO_SUDO, unreached,
    )  # fmt: skip
    yield _least_privilege(server)
    unreached |= {ServerState.NO_SUDO}
    yield step(
        "answer", "Look could be read", "What is shown must be what is there.",
        "See the reason; a broken tool or a disk that is full on the server is the usual cause.",
        ServerState.UNREADABLE, unreached,
    )  # fmt: skip
    if server.legacy_ssh:
        yield Check(
            "legacy_ssh", "Modern SSH", Status.WARN, "Legacy SSH is allowed for this server.",
            "SHA-1 signatures and old ciphers can be broken by whoever sits on the way.",
            "Untick legacy SSH unless this is an OpenVZ 6 server.",
        )  # fmt: skip


def _least_privilege(server: PhysicalServer) -> Check:
    """Whether who takes the panel takes the server."""
    why = "What the panel's login may do on the server, whoever takes the panel may do."
    if server.by_gate:
        found = "A user of the panel's own runs three programs that only root can change."
        return Check("privilege", "Least privilege", Status.OK, found, why)
    return Check(
        "privilege", "Least privilege", Status.WARN, "The panel may run anything as root.", why,
        "“Prepare server” on the server's page makes a user who may run three programs only.",
    )  # fmt: skip


def _what_is_there(facts: ServerFacts | None) -> Iterator[Check]:
    """Tools, kernel, who else configures the network, what may stand in the way."""
    if facts is None:
        yield Check("tools", "Tools", Status.UNKNOWN, "", "Known after the first look.")
        return
    yield from _tools(facts)
    yield from _kernel(facts)
    yield from _management_path(facts)
    yield from _in_the_way(facts)
    if facts.true_ms is None:
        yield Check("shell", "Quick shell", Status.UNKNOWN, "", "Every look and Change starts one shell.")
    else:
        slow = facts.true_ms > SLOW_SHELL_MS
        yield Check(
            "shell", "Quick shell", Status.WARN if slow else Status.OK, f"{facts.true_ms:.0f} ms",
            "Every look and Change starts one shell; a heavy start-up file slows all of them.",
            "Empty ~/.bashrc and /etc/profile.d of that user, or return early for shells without a terminal."
            if slow else "",
        )  # fmt: skip


def _in_the_way(facts: ServerFacts) -> Iterator[Check]:
    for finding in (*facts.firewall, *facts.findings):
        if finding.code in _IN_THE_WAY:
            what, why, remedy = _IN_THE_WAY[finding.code]
            yield Check(finding.code, what, Status.WARN, finding.text, why, remedy)


def _tools(facts: ServerFacts) -> Iterator[Check]:
    missing = [name for name in NEEDED_TOOLS if name not in facts.tools]
    absent = [name for name in USEFUL_TOOLS if name not in facts.tools]
    if missing:
        status, found = Status.FAIL, f"Missing: {', '.join(missing)}."
    elif absent:
        status, found = Status.OK, f"All that is needed; missing: {', '.join(absent)}."
    else:
        status, found = Status.OK, "All there."
    yield Check(
        "tools", "Tools", status, found,
        "ip changes links, vzctl and vzlist know the containers, the panel's script needs the rest.",
        "Install iproute2, awk, util-linux and the vzctl package of this system." if missing else "",
    )  # fmt: skip
    lock = "flock" in facts.capabilities or "flock" in facts.tools
    yield Check(
        "flock", "Lock tool (flock)", Status.OK if lock else Status.FAIL, "" if lock else "Missing: flock.",
        "Two Changes at once on one server must exclude each other.",
        "" if lock else "Install util-linux.",
    )  # fmt: skip
    dialects = {"4": "vzctl 4", "7": "vzctl 7 or later"}
    known = dialects.get(facts.vzctl_dialect or "", "")
    yield Check(
        "dialect", "vzctl dialect", Status.OK if known else Status.FAIL,
        f"{known} ({facts.vzctl_version})" if known else "Neither vzctl 4 nor 7 was recognised.",
        "The two generations of vzctl take different options.",
        "" if known else "Check that vzctl runs and prints its version.",
    )  # fmt: skip
    if facts.vzctl_dialect == "4":
        hook = "vznet_hook" in facts.capabilities
        yield Check(
            "vznet_hook", "Start hook", Status.OK if hook else Status.WARN,
            "" if hook else "/etc/vz/vznet.conf names no script.",
            "vzctl 4 puts the interface of a starting container into its bridge only through this hook.",
            "" if hook else "The panel installs it when the server is prepared.",
        )  # fmt: skip


def _kernel(facts: ServerFacts) -> Iterator[Check]:
    can = facts.capabilities
    bridges = "bridge" in can and ("ip_master" in can or "brctl" in facts.tools)
    yield Check(
        "bridge", "Bridges", Status.OK if bridges else Status.FAIL,
        "" if bridges else "The kernel or its tools cannot make bridges.",
        "Each virtual network is a bridge on the server.",
        "" if bridges else "Load the module bridge; on old systems install bridge-utils.",
    )  # fmt: skip
    vlan = "vlan" in can
    yield Check(
        "vlan", "VLANs", Status.OK if vlan else Status.WARN, "" if vlan else "The kernel has no 802.1Q.",
        "VLAN adapters let one NIC carry several virtual networks.",
        "" if vlan else "Load the module 8021q.",
    )  # fmt: skip
    filtering = "vlan_filtering" in can
    yield Check(
        "vlan_filtering", "Tags are filtered", Status.OK if filtering else Status.WARN,
        "" if filtering else "This kernel's bridges cannot filter VLAN tags.",
        "Without it containers on a NIC can send and receive frames of its VLANs.",
        "" if filtering else "Keep containers off NICs whose VLANs matter, or use a newer kernel.",
    )  # fmt: skip


def _management_path(facts: ServerFacts) -> Iterator[Check]:
    """Who else configures the links that the panel's own connection passes."""
    managing = management_links(facts)
    links = [link for link in facts.links if link.name in managing]
    owners = sorted({link.owner for link in links if link.owner in {"NetworkManager", "networkd"}})
    yield Check(
        "owner", "Who configures the management adapter", Status.WARN if owners else Status.OK,
        ", ".join(owners) or ", ".join(sorted({link.owner for link in links if link.owner})),
        "A network manager may take the adapter out of its bridge again.",
        "Tell it to leave the adapter alone before the adapter is put into a bridge." if owners else "",
    )  # fmt: skip
    dynamic = sorted(link.name for link in links if any(a.dynamic for a in link.addresses if a.family == 4))
    leased = dynamic or [link.name for link in links if link.owner == "dhclient"]
    yield Check(
        "dhcp", "Fixed management address", Status.FAIL if leased else Status.OK,
        f"{', '.join(leased)} has its address from DHCP." if leased else facts.management_address,
        "A bridge would ask for an address of its own and the server would be lost.",
        "Give the server a fixed address." if leased else "",
    )  # fmt: skip
