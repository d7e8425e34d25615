"""Containers from their conf files and from vzlist, in both dialects. Pure; never raises.

Conf files look like shell and are not: vzctl 4 writes values without escaping, so they are only ever parsed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nodes.facts import Container, ContainerInterface, ContainerStatus, Finding
from nodes.names import clean, host_address, is_ctid
from nodes.vzctl import VzctlDialect

MAX_CONTAINERS = 2000
_CONF_LINE = re.compile(r"(?:[^:]*/)?([^/:]+)\.conf:\s*([A-Z_]+)=(.*)")
_STATUSES: dict[str, ContainerStatus] = {
    "running": "running",
    "stopped": "stopped",
    "mounted": "mounted",
    "suspended": "suspended",
    "paused": "paused",
}


@dataclass(slots=True)
class ContainersSeen:
    """Containers by identifier, findings about what could not be read, and the host-side links of
    host-routed interfaces."""

    containers: dict[str, Container] = field(default_factory=dict)
    routed_ends: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def parse_vzlist(text: str, finished: bool) -> tuple[dict[str, ContainerStatus], tuple[Finding, ...]]:
    """Lines "CTID STATUS" of `vzlist -a -H -o ctid,status`. `finished`: it ended by itself, with exit code 0.

    vzlist hides a container whose private area is missing, and warns about it on standard error.
    """
    found: dict[str, ContainerStatus] = {}
    odd = 0
    for line in text.split("\n"):
        words = line.split()
        if len(words) == 2 and is_ctid(words[0]) and len(found) < MAX_CONTAINERS:
            found[words[0].lower()] = _STATUSES.get(words[1], "unknown")
        elif words:
            odd += 1
    findings = []
    if odd:
        findings.append(Finding("vzlist_broken", f"vzlist printed {odd} lines that cannot be read"))
    elif not finished:
        findings.append(Finding("vzlist_broken", "vzlist failed or did not answer: states are unknown"))
    return found, tuple(findings)


def containers_of(
    names: str,
    lines: str,
    statuses: dict[str, ContainerStatus],
    vzlist_works: bool,
    dialect: VzctlDialect | None,
) -> ContainersSeen:
    """All containers that a conf file or vzlist names.

    `names` are lines "file NAME" and "dangling NAME" of the conf directory, `lines` are "path:KEY=value".
    """
    seen = ContainersSeen()
    confs, dangling = _conf_names(names)
    values = _values(lines)
    for ctid in sorted(confs | dangling | set(statuses), key=_numbers_first)[:MAX_CONTAINERS]:
        status = statuses.get(ctid, "unknown")
        if ctid in dangling:
            text = "The configuration is on storage that is not mounted: the container is unavailable"
            seen.findings.append(Finding("conf_dangling", text, ctid))
        elif ctid not in confs:
            seen.findings.append(Finding("conf_missing", "vzlist shows it, but it has no conf file", ctid))
        elif vzlist_works and ctid not in statuses:
            text = "It has a conf file, but vzlist does not show it: its private area is missing"
            seen.findings.append(Finding("container_hidden", text, ctid))
        if ctid in confs and ctid not in values:
            text = "The conf file has none of the settings of a container: empty or half-written"
            seen.findings.append(Finding("conf_broken", text, ctid))
        container, problems, routed_ends = _container(ctid, status, values.get(ctid, {}), dialect)
        seen.routed_ends += routed_ends
        seen.containers[ctid] = container
        seen.findings += [Finding("conf_broken", problem, ctid) for problem in problems]
    return seen


def _numbers_first(ctid: str) -> tuple[int, str]:
    return (int(ctid), "") if ctid.isdigit() else (2**40, ctid)


def _conf_names(text: str) -> tuple[set[str], set[str]]:
    found: dict[str, set[str]] = {"file": set(), "dangling": set()}
    for line in text.split("\n"):
        kind, _, name = line.partition(" ")
        # 0.conf is the server itself; samples and destroyed containers do not end in .conf.
        ctid = name.removesuffix(".conf")
        if kind in found and name != ctid and is_ctid(ctid):
            found[kind].add(ctid.lower())
    return found["file"], found["dangling"]


def _values(text: str) -> dict[str, dict[str, str]]:
    """Raw values by container and key; the last of several lines counts, as for vzctl."""
    found: dict[str, dict[str, str]] = {}
    for line in text.split("\n"):
        match = _CONF_LINE.match(line)
        if match and is_ctid(match[1]):
            found.setdefault(match[1].lower(), {})[match[2]] = match[3].strip()
    return found


def _unquoted(raw: str) -> str | None:
    """The value inside the outermost quotes, None where the closing one is missing (half-written)."""
    for quote in "\"'":
        if raw.startswith(quote):
            return raw[1:-1] if len(raw) > 1 and raw.endswith(quote) else None
    return raw


def _container(
    ctid: str, status: ContainerStatus, raw: dict[str, str], dialect: VzctlDialect | None
) -> tuple[Container, list[str], tuple[str, ...]]:
    problems = []
    routed_ends: tuple[str, ...] = ()
    values: dict[str, str] = {}
    for key, text in raw.items():
        value = _unquoted(text)
        if value is None:
            problems.append(f"{key} has no closing quote: half-written")
        else:
            values[key] = value
    interfaces: tuple[ContainerInterface, ...] = ()
    if dialect is not None and values.get("NETIF"):
        reading = dialect.parse_netif(ctid, values["NETIF"])
        interfaces, routed_ends = reading.interfaces, reading.routed_ends
        problems += reading.problems
    host_routed, odd = _host_routed(values.get("IP_ADDRESS", ""))
    problems += odd
    if host_routed and not any(interface.mode == "host-routed" for interface in interfaces):
        # vzctl 4 has no NETIF entry for it: every container has a venet0, used if it has an address.
        interfaces = (ContainerInterface("venet0", "host-routed"), *interfaces)
    onboot = values.get("ONBOOT", "").lower()
    return (
        Container(
            ctid=ctid,
            name=clean(values.get("NAME", ""), 64),
            hostname=clean(values.get("HOSTNAME", ""), 253),
            status=status,
            interfaces=interfaces,
            host_routed=host_routed,
            ostemplate=clean(values.get("OSTEMPLATE", ""), 128),
            onboot=onboot != "no" if onboot else None,
        ),
        problems[:20],
        routed_ends,
    )


def _host_routed(text: str) -> tuple[tuple[str, ...], list[str]]:
    """IP_ADDRESS: addresses with blanks between, a mask or a length after some of them."""
    found: dict[str, None] = {}
    problems = []
    for word in text.split()[:1024]:
        if address := host_address(word):
            found[address.address] = None
        else:
            problems.append(f"not an address in IP_ADDRESS: {clean(word, 64)}")
    return tuple(found), problems[:5]
