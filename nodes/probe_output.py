"""What the probe printed, as `ServerFacts`. Pure.

A look is useless only if it is not ours, was cut off or is too large (`UnreadableLook`). Everything else that
is wrong in it (a tool that failed, a half-written conf file, broken JSON, invalid UTF-8) becomes a `Finding`
that names it, and the rest is kept. Codes of findings: section_truncated, tool_failed, odd_text, odd_name,
unreadable, noisy_shell, vzctl_missing, dialect_unknown, vzlist_broken, conf_broken, conf_dangling,
conf_missing, container_hidden, inside_unknown, interface_unsaved, interface_renamed, foreign_hook,
neighbour_devs; of the firewall: see nodes/firewall.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from nodes import iproute_json, iproute_text
from nodes.boot import boot_of
from nodes.facts import Container, Dialect, Finding, Link, LinkKind, ServerFacts, Transaction
from nodes.firewall import firewall_traits
from nodes.inside import by_saved_names, container_inside, unsaved_interfaces
from nodes.iproute import NetView, policy_rules
from nodes.kernel_files import KernelFiles, parse_kernel_files, server_links
from nodes.names import clean, host_address, is_ctid
from nodes.owners import link_owners, vz_settings
from nodes.probe import MAX_LOOK_BYTES
from nodes.vz_conf import ContainersSeen, containers_of, parse_vzlist
from nodes.vzctl import dialect, dialect_of

MAX_FINDINGS = 300
MAX_COMMITTED_LINES = 5000
"""A plan has fewer (MAX_LINES of networks/host/grammar.py), and its record few more than the plan."""
_NAME = rb"[a-z][a-z0-9-]{0,20}(?: [0-9A-Fa-f-]{1,36})?"
# Of whatever nonce: a pattern for each would be compiled for each look.
_MARK = re.compile(rb"(?m)\n@([0-9a-f]{16,64}) (look 1|done|begin (" + _NAME + rb")|rc ([0-9]{1,3}))$")


class UnreadableLook(Exception):
    """A look that says nothing about the server. `reason` is a sentence for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Section:
    """What one tool printed: bytes, and its exit code (None: cut off before the tool ended)."""

    data: bytes
    rc: int | None = None


@dataclass(slots=True)
class Look:
    """The sections of a look by name, and findings made on the way."""

    sections: dict[str, Section]
    findings: list[Finding] = field(default_factory=list)

    def text(self, name: str, subject: str = "") -> str:
        """The section as text, "" without it. What is wrong with its bytes becomes a finding."""
        section = self.sections.get(name)
        if section is None:
            return ""
        if section.rc is None:
            self.note(
                "section_truncated", f"The answer of {_tool(name)} was cut off: it is too long", subject
            )
        try:
            return section.data.decode()
        except UnicodeDecodeError:
            self.note("odd_text", f"The answer of {_tool(name)} has bytes that are not UTF-8", subject)
            return section.data.decode(errors="replace")

    def rc(self, name: str) -> int | None:
        """The exit code of that section, None if it is missing or was cut off."""
        section = self.sections.get(name)
        return section.rc if section else None

    def note(self, code: str, text: str, subject: str = "") -> None:
        """Add a finding, once."""
        finding = Finding(code, text, subject)
        if finding not in self.findings:
            self.findings.append(finding)


def parse_look(raw: bytes, nonce: str) -> ServerFacts:
    """The facts in the probe's standard output. `nonce` is the one given to the probe.

    Raises UnreadableLook, and nothing else whatever the bytes.
    """
    look = Look(read_sections(raw, nonce))
    _note_noise(look, raw[: raw.find(f"@{nonce} look 1".encode())])
    files = parse_kernel_files(look.text("kernel"), look.text("masters"))
    who = look.text("who").split("\n")
    view = _view(look, "net-json", "net-text", "")
    tools = _tools(who, look)
    version = tools.get("vzctl", "")
    spoken = dialect_of(version)
    _note_vzctl(look, tools, spoken is None)
    seen = _confs(look, "vzctl" in tools, spoken)
    links = _links(look, files, view, seen)
    containers = _containers(look, seen, view, links)
    hook, vz_findings = vz_settings(look.text("owners"))
    look.findings += [*seen.findings, *vz_findings]
    panel, address = _connection(who)
    carriers = [link.name for link in links if any(a.address == address for a in link.addresses)]
    return ServerFacts(
        hostname=clean(files.first("/proc/sys/kernel/hostname"), 64),
        kernel=clean(files.first("/proc/sys/kernel/osrelease"), 64),
        os=_os(files),
        boot_id=clean(files.first("/proc/sys/kernel/random/boot_id"), 36),
        uptime_s=_uptime_s(who),
        vzctl_dialect=spoken,
        vzctl_version=version if version[:1].isdigit() else "",
        tools=tools,
        capabilities=_capabilities(who, look, files, tools, hook),
        management_address=address,
        management_link=carriers[0] if carriers else "",
        panel_address=panel,
        programs=_programs(who),
        links=links,
        routes=view.routes,
        policy_rules=(*view.rules, *policy_rules(look.text("rules6"), "inet6")),
        proxies=view.proxies,
        sysctls=files.sysctls(),
        firewall=_firewall(look, files, view, links),
        containers=containers,
        transaction=_transaction(files),
        boot=boot_of(look.text("owners"), look.text("replay"), "systemd" in who),
        true_ms=_shell_ms(who),
        findings=tuple(look.findings[:MAX_FINDINGS]),
    )


def read_sections(raw: bytes, nonce: str) -> dict[str, Section]:
    """Cut the output at the lines that carry the nonce. Raises UnreadableLook for a useless look."""
    if len(raw) > MAX_LOOK_BYTES:
        raise UnreadableLook("The server answered with more than a look can be.")
    raw = b"\n" + raw
    ours = nonce.encode()
    marks = [match for match in _MARK.finditer(raw) if match[1] == ours]
    first = next((number for number, match in enumerate(marks) if match[2] == b"look 1"), None)
    if first is None:
        raise UnreadableLook("The answer is not one of the probe's: the server could not run it.")
    if all(match[2] != b"done" for match in marks):
        if any(match[3] == b"no-awk" for match in marks):
            raise UnreadableLook("There is no awk on this server: install mawk, gawk or another one.")
        raise UnreadableLook("The look was cut off before its end.")
    sections: dict[str, Section] = {}
    open_section, begun = "", 0
    for match in marks[first + 1 :]:
        if match[2] == b"look 1":
            continue
        if open_section:
            body = raw[begun : match.start()].removeprefix(b"\n")
            rc = int(match[4]) if match[4] else None
            sections.setdefault(open_section, Section(body, rc))
        open_section, begun = match[3].decode() if match[3] else "", match.end()
    return sections


def _tool(section: str) -> str:
    """The name of a section in the words of a finding's reader."""
    return {
        "kernel": "the kernel's files",
        "net-json": "ip",
        "net-text": "ip",
        "conf": "the conf files",
        "conf-names": "the folder of conf files",
    }.get(section, section.split(" ")[0])


def _note_noise(look: Look, before: bytes) -> None:
    """What was printed before the probe's first line."""
    if said := clean(before[:200].decode(errors="replace"), 80):
        look.note("noisy_shell", f"The shell's start-up files print text, which disturbs programs: {said}")


def _confs(look: Look, has_vzctl: bool, spoken: Dialect | None) -> ContainersSeen:
    statuses, findings = parse_vzlist(look.text("vzlist"), look.rc("vzlist") == 0)
    if has_vzctl:
        look.findings += findings
    return containers_of(
        look.text("conf-names"),
        look.text("conf"),
        statuses,
        vzlist_works=has_vzctl and not findings,
        dialect=dialect(spoken) if spoken else None,
    )


def _firewall(look: Look, files: KernelFiles, view: NetView, links: tuple[Link, ...]) -> tuple[Finding, ...]:
    return firewall_traits(
        {name: look.text(name) for name in ("iptables", "ip6tables", "nft")},
        files.sysctls(),
        {link.name: "" for link in links} | {seen.link.name: seen.qdisc for seen in view.links},
    )


def _view(look: Look, as_json: str, as_text: str, subject: str) -> NetView:
    if as_json in look.sections:
        view = iproute_json.parse_json(look.text(as_json, subject))
    else:
        view = iproute_text.parse_text(look.text(as_text, subject))
    for problem in view.problems:
        look.note("unreadable", problem[:1].upper() + problem[1:], subject)
    return view


def _words(who: list[str], first: str) -> Iterator[list[str]]:
    return (words for line in who if (words := line.split()) and words[0] == first)


def _tools(who: list[str], look: Look) -> dict[str, str]:
    """Programs with their paths; ip and vzctl with their versions."""
    tools = {
        words[1]: clean(words[2], 128)
        for words in _words(who, "tool")
        if len(words) == 3 and re.fullmatch(r"[a-z][a-z0-9-]{0,20}", words[1])
    }
    if match := re.search(r"iproute2-([^\s,]{1,32})|(BusyBox v\S{1,16})", look.text("ip-version")):
        tools["ip"] = clean(match[1] or match[2], 32)
    if match := re.search(r"version\s+([0-9][\w.\-]{0,31})", look.text("vzctl-version")):
        tools["vzctl"] = match[1]
    return tools


def _note_vzctl(look: Look, tools: dict[str, str], unknown: bool) -> None:
    if "vzctl" not in tools:
        look.note("vzctl_missing", "There is no vzctl on this server: it has no containers to manage")
    elif unknown:
        look.note("dialect_unknown", f"This vzctl is not one we know: {tools['vzctl']}")


def _links(look: Look, files: KernelFiles, view: NetView, seen: ContainersSeen) -> tuple[Link, ...]:
    host_ends: dict[str, LinkKind] = {
        interface.host_ifname: "veth"
        for container in seen.containers.values()
        for interface in container.interfaces
        if interface.host_ifname
    }
    host_ends |= dict.fromkeys(seen.routed_ends, "venet")
    links, odd = server_links(files, view, host_ends)
    for name in odd:
        look.note("odd_name", f"A link with a name that cannot be shown: {name}")
    indexes = {link.index: link.name for link in links}
    owners = link_owners(look.text("owners"), look.text("dhcp"), look.text("nmcli"), indexes)
    return tuple(replace(link, owner=owners.get(link.name, "")) for link in links)


def _containers(
    look: Look, seen: ContainersSeen, view: NetView, links: tuple[Link, ...]
) -> tuple[Container, ...]:
    containers = dict(seen.containers)
    for section in look.sections:
        how, _, ctid = section.partition(" ")
        container = containers.get(ctid.lower())
        if not how.startswith("inside-") or not is_ctid(ctid) or container is None:
            continue
        if how == "inside-skipped":
            look.note("inside_unknown", "No time was left to look into the container", ctid)
            continue
        as_json = section if how == "inside-json" else ""
        inside = _view(look, as_json, section, ctid)
        if not inside.links:
            rc = look.rc(section)
            look.note("inside_unknown", f"The container could not be looked into (exit code {rc})", ctid)
            continue
        inside, renamed = by_saved_names(container, inside, view, links)
        for name, saved in renamed.items():
            text = (
                f"{saved} is called {name} inside: what is done to {saved} in there waits until it has its "
                "name again, or the container has restarted"
            )
            look.note("interface_renamed", text, ctid)
        containers[container.ctid] = container_inside(container, inside)
        added = unsaved_interfaces(containers[container.ctid], inside, view, links)
        for interface in added:
            text = f"{interface.ifname} is not in the saved configuration: lost at the next restart"
            look.note("interface_unsaved", text, ctid)
        grown = containers[container.ctid]
        containers[container.ctid] = replace(grown, interfaces=(*grown.interfaces, *added))
    return tuple(containers.values())


def _connection(who: list[str]) -> tuple[str, str]:
    """Both ends of our own connection, the panel's and the server's address; "" where unknown.

    SSH_CONNECTION is "client port server port" (sshd(8)).
    """
    for line in who:
        if not line.startswith("SSH_CONNECTION="):
            continue
        words = line.partition("=")[2].split()
        if len(words) == 4:
            ends = [host_address(word.partition("%")[0]) for word in (words[0], words[2])]
            client, server = (end.address if end else "" for end in ends)
            return client, server
    return "", ""


def _programs(who: list[str]) -> str:
    """Version of the root-owned programs, 16 hexadecimal digits."""
    found = (words[1] for words in _words(who, "programs") if len(words) == 2)
    return next((version for version in found if re.fullmatch(r"[0-9a-f]{16}", version)), "")


def _uptime_s(who: list[str]) -> float:
    for words in _words(who, "uptime"):
        if len(words) == 2 and re.fullmatch(r"[0-9]{1,10}\.[0-9]{1,3}", words[1]):
            return float(words[1])
    return 0.0


def _shell_ms(who: list[str]) -> float | None:
    """How long the session's shell took to start: from its birth below sshd to the probe's first line.

    Resolution 10 ms: the kernel counts births in clock ticks, 100 a second in every userland (USER_HZ).
    None without sshd above us.
    """
    born: int | None = None
    for words in _words(who, "process"):
        if len(words) < 4 or not re.fullmatch(r"[0-9]{1,15}", words[2]):
            return None
        if words[3].startswith(("sshd", "dropbear")):
            uptime_s = _uptime_s(who)
            return max(0.0, round(uptime_s * 1000 - born * 10, 1)) if born is not None and uptime_s else None
        born = int(words[2])
    return None


def _os(files: KernelFiles) -> str:
    for path in ("/etc/virtuozzo-release", "/etc/redhat-release"):
        if files.first(path):
            return clean(files.first(path), 100)
    for line in files.lines.get("/etc/os-release", ()):
        if line.startswith("PRETTY_NAME="):
            return clean(line.partition("=")[2].strip("\"'"), 100)
    return ""


def _capabilities(
    who: list[str], look: Look, files: KernelFiles, tools: dict[str, str], hook: bool
) -> frozenset[str]:
    modules = look.text("modules")
    version = re.match(r"(\d{1,3})\.", files.first("/proc/sys/kernel/osrelease"))
    filtering = [path for path in files.lines if path.endswith("/bridge/vlan_filtering")]
    bridges = [path for path in files.lines if path.endswith("/bridge/stp_state")]
    # Where there is a bridge it shows; else the probe looked for the code.
    # A path alone is a file that has the code in it; one after a colon, that there is such a module.
    has_code = re.search(r"(?m)^/[^:\s]*(?:config-[^:\s]*|/bridge\.ko|/kallsyms)$", modules)
    can_filter = bool(filtering) if bridges else has_code is not None
    has = {
        "bridge": "module bridge" in who or "/bridge.ko" in modules,
        "vlan": "module 8021q" in who or "/8021q.ko" in modules,
        "vlan_filtering": can_filter,
        "ip_json": "net-json" in look.sections,
        # Kernels before 2.6.39 (OpenVZ's 2.6.32) do not know "ip link set ... master" for bridges.
        "ip_master": version is not None and int(version[1]) >= 3,
        "systemd": "systemd" in who,
        "systemd_run": "systemd" in who and "systemd-run" in tools,
        "flock": "flock" in tools,
        "netns": "netns" in who,
        "vznet_hook": hook,
    }
    return frozenset(name for name, yes in has.items() if yes)


def _transaction(files: KernelFiles) -> Transaction:
    """The committed state's lines ("txid ID" among them) and the transaction that waits (networks/host)."""
    lines: tuple[str, ...] = ()
    pending = ""
    for path, found in files.lines.items():
        if path.endswith("/committed"):
            lines = tuple(clean(line, 200) for line in found[:MAX_COMMITTED_LINES])
        elif path.endswith("/pending"):
            pending = clean(found[0], 64) if found else ""
    committed = next((line.split()[1] for line in lines if re.match(r"#?txid \S", line)), "")
    return Transaction(clean(committed, 64), pending, lines)
