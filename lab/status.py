"""What the lab looks like now: its definition, and beside it what a look over the consoles finds."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lab import wiring
from lab.containers import INNER_BRIDGE
from lab.definition import ContainerDefinition, ServerDefinition
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.lab import Lab

# One shell per server. Sections: host key, vzlist, conf files, addresses inside each running container.
_LOOK = r"""
echo '#key'; cat /etc/ssh/ssh_host_ed25519_key.pub
echo '#vzlist'; vzlist -a -H -o ctid,status 2>/dev/null
echo '#conf'; grep -a '^NETIF=' /etc/vz/conf/*.conf /dev/null
for ns in $(ip netns list | sed -n 's/^\(ct[0-9a-f-]*\).*/\1/p'); do
    echo "#addresses $ns"; ip -n "$ns" -j addr show
done
"""


@dataclass(frozen=True)
class InterfaceStatus:
    """One interface of a container; the host side and MAC are empty for a host-routed one."""

    ifname: str
    mode: str
    mac: str
    host_ifname: str
    addresses: list[str]


@dataclass(frozen=True)
class ContainerStatus:
    """One container: ``state`` as vzlist says it, or ``unknown`` while its server does not answer."""

    ctid: str
    name: str
    state: str
    interfaces: list[InterfaceStatus]
    inner_bridge: str
    """Bridge made inside the container that carries addresses (201), or empty."""
    inner_bridge_addresses: list[str]


@dataclass(frozen=True)
class ServerStatus:
    """One physical server; ``state`` is ready, booting or off."""

    name: str
    address: str
    state: str
    cable: str
    host_key_sha256: str
    dialect: str
    init: str
    containers: list[ContainerStatus]


@dataclass(frozen=True)
class LabStatus:
    """The whole lab; ``state`` is up, down or half-up."""

    state: str
    prefix: str
    panel_namespace: str
    untrunked: list[str]
    users: list[str]
    servers: list[ServerStatus]

    def as_dict(self) -> dict[str, object]:
        """The same as plain JSON values."""
        return asdict(self)


def look(lab: Lab) -> LabStatus:
    """Look at the lab; works, and says so, when it is down."""
    wired = wiring.is_wired(lab.place)
    with ThreadPoolExecutor(len(lab.servers)) as pool:
        servers = list(pool.map(lambda one: _look_at(lab, one, wired), lab.servers))
    states = {one.state for one in servers}
    if wired and states == {"ready"}:
        state = "up"
    else:
        state = "down" if not wired and states == {"off"} else "half-up"
    dropped = sorted(wiring.dropped_vlans(lab.place)) if wired else []
    return LabStatus(
        state=state,
        prefix=lab.place.prefix,
        panel_namespace=lab.place.namespace("panel"),
        untrunked=[f"{tap.removeprefix('tap-')} {vlan}" for tap, vlan in dropped],
        users=lab.other_users(),
        servers=servers,
    )


def _look_at(lab: Lab, one: ServerDefinition, wired: bool) -> ServerStatus:
    state, seen = lab.state(one.name), {}
    if state == "ready":
        try:
            seen = _sections(lab.check(one.name, _LOOK, timeout_s=30))
        except LabError:
            state = "booting"
    return ServerStatus(
        name=one.name,
        address=one.address,
        state=state,
        cable="in" if wired and wiring.is_plugged(lab.place, one) else "out",
        host_key_sha256=_fingerprint(seen.get("key", "")),
        dialect=one.dialect,
        init=one.init,
        containers=[_container(c, seen) for c in one.containers],
    )


def _sections(text: str) -> dict[str, str]:
    """Split what _LOOK printed at its ``#`` headings."""
    parts = re.split(r"(?m)^#(.+)$", text)
    return {title: body.strip() for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def _container(one: ContainerDefinition, seen: dict[str, str]) -> ContainerStatus:
    states = dict(line.split()[:2] for line in seen.get("vzlist", "").splitlines() if len(line.split()) > 1)
    addresses = _addresses(seen.get(f"addresses ct{one.ctid}", ""))
    interfaces = []
    if one.host_routed:
        found = addresses.get("venet0") or list(one.host_routed)
        interfaces.append(InterfaceStatus("venet0", "host-routed", "", "", found))
    for device in _devices(one.ctid, seen.get("conf", "")):
        ifname = device.get("ifname", "")
        if device.get("type") == "routed":
            continue
        interfaces.append(
            InterfaceStatus(
                ifname, "bridged", device.get("mac", "").lower(), device.get("host_ifname", ""),
                addresses.get(ifname, []),
            )
        )  # fmt: skip
    bridge = INNER_BRIDGE if INNER_BRIDGE in addresses else ""
    state = states.get(one.ctid, "unknown")
    return ContainerStatus(one.ctid, one.name, state, interfaces, bridge, addresses.get(bridge, []))


def _devices(ctid: str, conf: str) -> list[dict[str, str]]:
    """The entries of a container's NETIF line, keys to values (both dialects)."""
    match = re.search(rf'(?m)^/etc/vz/conf/{re.escape(ctid)}\.conf:NETIF="(.*)"$', conf)
    entries = match[1].split(";") if match else []
    return [
        dict(pair.split("=", 1) for pair in entry.split(",") if "=" in pair) for entry in entries if entry
    ]


def _addresses(listing: str) -> dict[str, list[str]]:
    """Global addresses by device, from ``ip -j addr``."""
    return {
        link["ifname"]: [
            f"{address['local']}/{address['prefixlen']}"
            for address in link.get("addr_info", [])
            if address.get("scope") == "global"
        ]
        for link in json.loads(listing or "[]")
    }


def _fingerprint(public_key: str) -> str:
    """OpenSSH's SHA256 fingerprint of a public key line; empty for none."""
    if len(public_key.split()) < 2:
        return ""
    digest = hashlib.sha256(base64.b64decode(public_key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
