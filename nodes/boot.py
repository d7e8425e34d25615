"""What a server's own files would do at its next boot, from what the probe printed. Pure; never raises."""

from __future__ import annotations

from typing import Any

from nodes import ifcfg
from nodes.facts import Boot, Replay, ServerFacts
from nodes.names import shown_link_name

MOST = 4096
"""So many adapters and containers are kept: as many as one adapter has VLANs, and a look has links."""


def boot_of(files: str, replay: str, has_systemd: bool) -> Boot:
    """The boot that "path:line" of configuration files and the words of section "replay" tell of."""
    lines = [(path, line.strip()) for path, _, line in (row.partition(":") for row in files.split("\n"))]
    ports: dict[str, str] = {}
    dhcp: dict[str, None] = {}
    for found_ports, found_dhcp in (_initscripts(lines), _ifupdown(lines), _networkd(lines)):
        for adapter, bridge in found_ports.items():
            ports.setdefault(adapter, bridge)
        dhcp |= dict.fromkeys(found_dhcp)
    return Boot(
        _replay(frozenset(replay.split()), has_systemd),
        tuple((a, b) for a, b in ports.items() if shown_link_name(a) and shown_link_name(b))[:MOST],
        tuple(name for name in dhcp if shown_link_name(name))[:MOST],
    )


def _replay(words: frozenset[str], has_systemd: bool) -> Replay:
    if "looked" not in words:
        return ""
    kind = "unit" if has_systemd else "script"
    if kind not in words or "program" not in words:
        return "missing"
    # Where nothing can enable a script, whoever put it there sees to it that it runs.
    is_enabled = f"{kind}-enabled" in words or (not has_systemd and "no-enabler" in words)
    return "enabled" if is_enabled else "disabled"


Found = tuple[dict[str, str], list[str]]
"""Bridge by adapter, and adapters that get their address by DHCP."""


def _initscripts(lines: list[tuple[str, str]]) -> Found:
    starting = ifcfg.starting(lines)
    ports = {name: keys["BRIDGE"] for name, keys in starting.items() if keys.get("BRIDGE")}
    return ports, [name for name, keys in starting.items() if keys.get("BOOTPROTO", "").lower() == "dhcp"]


def _ifupdown(lines: list[tuple[str, str]]) -> Found:
    ports: dict[str, str] = {}
    dhcp: list[str] = []
    starting: set[str] = set()
    here = ""
    for path, line in lines:
        words = line.split()
        if not path.startswith("/etc/network/interfaces") or not words:
            continue
        if words[0] in ("auto", "allow-hotplug"):
            starting.update(words[1:])
        elif words[0] == "iface" and len(words) >= 4:
            here = words[1]
            dhcp += [here] if words[3] == "dhcp" else []
        elif words[0] in ("bridge_ports", "bridge-ports") and here:
            ports |= dict.fromkeys((name for name in words[1:] if name != "none"), here)
    return {a: b for a, b in ports.items() if b in starting}, [name for name in dhcp if name in starting]


def _networkd(lines: list[tuple[str, str]]) -> Found:
    files: dict[str, dict[str, str]] = {}
    for path, line in lines:
        if path.startswith("/etc/systemd/network/") and path.endswith(".network"):
            key, _, value = line.partition("=")
            files.setdefault(path, {}).setdefault(key.strip(), value.strip())
    ports: dict[str, str] = {}
    dhcp: list[str] = []
    for keys in files.values():
        names = keys.get("Name", "").split()
        if keys.get("Bridge"):
            ports |= dict.fromkeys(names, keys["Bridge"])
        if keys.get("DHCP", "no").lower() not in ("no", "false", "off", "0"):
            dhcp += names
    return ports, dhcp


def boot_summary(facts: ServerFacts) -> dict[str, Any]:
    """What the rules need to know of a server's boot, as stored with the server."""
    record = facts.transaction.committed
    # The rules name what is not in it: without its end it is not known.
    keeps = (
        [line.split()[1:] for line in record if line.startswith("keep ")] if record[-1:] == ("end",) else []
    )
    return {
        "replay": facts.boot.replay,
        "keeps": keeps,
        "ports": [list(pair) for pair in facts.boot.ports],
        "dhcp": list(facts.boot.dhcp),
        "hook": facts.vzctl_dialect != "4" or "vznet_hook" in facts.capabilities,
        "off": _stay_off(facts),
    }


def _stay_off(facts: ServerFacts) -> list[str]:
    """Containers that run now and would not be started."""
    return [one.ctid for one in facts.containers if one.status == "running" and one.onboot is False][:MOST]
