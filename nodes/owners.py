"""Who configures the server's links, from files and answers that the probe printed. Pure; never raises.

Whoever configures a NIC may undo what the panel did to it, so this decides what a Change must warn about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nodes import ifcfg
from nodes.facts import Finding
from nodes.names import clean, shown_link_name

_DHCP_CLIENTS = frozenset({"dhclient", "dhcpcd", "udhcpc", "dhcp6c"})
_HOOK_NAME = "vnetpanel"
"""What the path of the panel's own start hook contains."""


def link_owners(files: str, dhcp: str, nmcli: str, indexes: dict[int, str]) -> dict[str, str]:
    """Link name to "NetworkManager", "networkd", "dhclient", "ifupdown" or "initscripts".

    `files` are "path:line" of configuration files, `dhcp` command lines of DHCP clients, `nmcli` lines
    "DEVICE:STATE", `indexes` link names by index (systemd and NetworkManager name their files by index).
    A daemon that holds a link counts before the one that was asked to start it.
    """
    lines = [(path, line.strip()) for path, _, line in (row.partition(":") for row in files.split("\n"))]
    owners: dict[str, str] = {}
    for owner, names in (
        ("NetworkManager", _network_manager(lines, nmcli, indexes)),
        ("networkd", _networkd(lines, indexes)),
        ("dhclient", _dhcp(dhcp, frozenset(indexes.values()))),
        ("ifupdown", _ifupdown(lines)),
        ("initscripts", ifcfg.starting(lines)),
    ):
        for name in names:
            owners.setdefault(name, owner)
    owners.pop("lo", None)
    return {name: owner for name, owner in owners.items() if shown_link_name(name)}


def _by_index(path: str, directory: str, indexes: dict[int, str]) -> str:
    match = re.fullmatch(re.escape(directory) + r"/([0-9]{1,9})", path)
    return indexes.get(int(match[1]), "") if match else ""


def _network_manager(lines: list[tuple[str, str]], nmcli: str, indexes: dict[int, str]) -> list[str]:
    if nmcli.strip():
        found = []
        for line in nmcli.split("\n"):
            # -t escapes a colon in a name; no link has one. States: nmcli/devices.c.
            device, _, state = line.partition(":")
            if state and not state.startswith(("unmanaged", "unavailable", "connected (externally)")):
                found.append(device)
        return found
    return [
        name
        for path, line in lines
        if line == "managed=true" and (name := _by_index(path, "/run/NetworkManager/devices", indexes))
    ]


def _networkd(lines: list[tuple[str, str]], indexes: dict[int, str]) -> list[str]:
    return [
        name
        for path, line in lines
        if line.startswith("ADMIN_STATE=")
        and line != "ADMIN_STATE=unmanaged"
        and (name := _by_index(path, "/run/systemd/netif/links", indexes))
    ]


def _dhcp(text: str, names: frozenset[str]) -> list[str]:
    found = []
    for line in text.split("\n"):
        words = line.split()
        if words and words[0].rpartition("/")[2] in _DHCP_CLIENTS:
            found += [word for word in words[1:] if word in names]
    return found


def _ifupdown(lines: list[tuple[str, str]]) -> list[str]:
    """Links that ifupdown has up (ifstate); without that file, those it would configure."""
    state = [line.split("=")[0] for path, line in lines if path == "ifstate"]
    if state:
        return state
    found = []
    for path, line in lines:
        words = line.split()
        if path.startswith("/etc/network/interfaces") and len(words) >= 4 and words[0] == "iface":
            found += [words[1]] if words[3] != "manual" else []
    return found


def vz_settings(files: str) -> tuple[bool, tuple[Finding, ...]]:
    """Whether the panel's hook joins starting containers to their bridges, and findings about vz's settings.

    EXTERNAL_SCRIPT of vznet.conf runs for each veth of a starting container (vzctl 4: bin/vznetcfg).
    """
    values = dict(_settings(files.split("\n")))
    findings = []
    script = values.get("EXTERNAL_SCRIPT", "")
    if script and _HOOK_NAME not in script:
        findings.append(
            Finding(
                "foreign_hook",
                f"Another program joins starting containers to bridges: {clean(script, 100)} (vznet.conf)",
            )
        )
    devices = values.get("NEIGHBOUR_DEVS", "")
    if devices.startswith("list:"):
        findings.append(
            Finding(
                "neighbour_devs",
                "vz.conf announces host-routed containers on named adapters only "
                f"({clean(devices, 100)}); a bridge that takes over an adapter must be named there, too",
            )
        )
    return bool(script) and _HOOK_NAME in script, tuple(findings)


def _settings(rows: Iterable[str]) -> Iterable[tuple[str, str]]:
    for row in rows:
        path, _, line = row.partition(":")
        key, equals, value = line.strip().partition("=")
        if equals and path.rpartition("/")[2] in {"vz.conf", "vznet.conf"}:
            yield key, value.strip("\"' ")
