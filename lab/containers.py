"""Create a server's containers on its new disk, by the vzctl stand-in itself, after the manual's scheme.

They are born in the state before any virtual network exists: bridged interfaces have their addresses inside,
their host sides are in no bridge.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab.definition import GATEWAY, BridgedInterface, ContainerDefinition, ServerDefinition
from lab.errors import LabError
from lab.place import CHECKOUT
from lab.shell import run

STAND_INS = CHECKOUT / "lab" / "vz"
INNER_BRIDGE = "br0"


def create_containers(seed: Path, server: ServerDefinition) -> None:
    """Create and configure every container of ``server`` in the tree ``seed`` that becomes its disk."""
    if not (STAND_INS / f"vzctl{server.dialect}").exists():
        return
    run([str(STAND_INS / "install"), server.dialect, str(seed / ".usr-upper"), str(seed / "etc")])
    for container in server.containers:
        ctid = container.ctid
        _vzctl(seed, server, "create", ctid, "--ostemplate", "lab")
        _vzctl(seed, server, "set", ctid, "--name", container.name, "--onboot", "yes", "--save")
        for address in container.host_routed:
            _vzctl(seed, server, "set", ctid, "--ipadd", address, "--save")
        for interface in container.bridged:
            _vzctl(seed, server, "set", ctid, "--netif_add", interface.ifname, "--save")
            if server.dialect == "7":
                for address in interface.addresses:
                    _vzctl(
                        seed, server, "set", ctid, "--ifname", interface.ifname, "--ipadd", address, "--save"
                    )
        if server.dialect == "4" or container.inner_bridge:
            # vzctl 4 has no addresses for a bridged interface: the guest's own network files give them.
            script = seed / "vz/private" / ctid / "etc/network-up"
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(network_up(container))


def network_up(container: ContainerDefinition) -> str:
    """The guest's network start-up, a sh snippet that runs inside the container when it starts."""
    lines = ["ip -batch - <<'END'", "link set lo up"]
    for interface in container.bridged:
        lines.append(f"link set {interface.ifname} up")
    if container.inner_bridge:
        lines.append(f"link add {INNER_BRIDGE} type bridge stp_state 0 forward_delay 0")
        lines += [f"link set {interface.ifname} master {INNER_BRIDGE}" for interface in container.bridged]
        lines.append(f"link set {INNER_BRIDGE} up")
        lines += _addresses(BridgedInterface(INNER_BRIDGE, container.inner_bridge))
    for interface in container.bridged:
        lines += _addresses(interface)
    lines.append("END")
    return "\n".join(lines) + "\n"


def _addresses(interface: BridgedInterface) -> list[str]:
    lines = []
    for address in interface.addresses:
        # Without duplicate address detection an IPv6 address is usable at once.
        flags = " nodad" if ":" in address else ""
        lines.append(f"addr add {address} dev {interface.ifname}{flags}")
        if address.startswith("10.77.0."):
            lines.append(f"route add default via {GATEWAY} dev {interface.ifname}")
    return lines


def _vzctl(seed: Path, server: ServerDefinition, *arguments: str) -> None:
    """Run the stand-in of the server's dialect with ``seed`` as its root."""
    argv = ["/bin/sh", str(STAND_INS / f"vzctl{server.dialect}"), *arguments]
    done = subprocess.run(argv, env={**os.environ, "VZ_ROOT": str(seed)}, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"{server.name}: `vzctl {' '.join(arguments)}` failed: {done.stderr or done.stdout}")
