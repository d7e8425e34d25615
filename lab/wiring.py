"""The wires of the lab: switch, cables, the other host, the panel's place on the LAN.

The switch is a plain bridge in a namespace of its own; it passes VLAN tags through untouched. It learns
no addresses: switches learn them for each VLAN apart, a plain bridge would for all together, and lose
frames to a container that bridges two networks and so shows one address on both. A cable is a tap device
(the server's kernel holds its other end); what a port does not carry is an nft rule.
"""

from __future__ import annotations

import json

from lab import netns
from lab.definition import OTHER_HOST_NUMBER, PANEL_NUMBER, SERVERS, ServerDefinition, lan_addresses
from lab.place import Place
from lab.shell import attempt, run

BRIDGE = "lan"
ROLES = {"other": OTHER_HOST_NUMBER, "panel": PANEL_NUMBER}
_TABLE = "trunk"

# A machine that lets iptables see bridged frames (docker's hosts) would drop the switch's.
_SWITCH_SYSCTLS = """
for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ -e "$f" ] && echo 0 >"$f"; done
for f in all default lan; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done
true
"""


def wire(place: Place) -> set[str]:
    """Make every wire that is missing; leave alone what is there, cables that are out included.

    Returns the names of the servers whose cable had to be made: a kernel that runs already does not hold it.
    """
    for role in ("switch", *ROLES):
        netns.create(place.namespace(role))
    switch = place.namespace("switch")
    if BRIDGE not in _links(switch):
        options = ["stp_state", "0", "forward_delay", "0", "mcast_snooping", "0", "ageing_time", "0"]
        run(["ip", "-n", switch, "link", "add", BRIDGE, "type", "bridge", *options])
        run(["ip", "-n", switch, "link", "set", BRIDGE, "up"])
    run(["ip", "netns", "exec", switch, "sh", "-c", _SWITCH_SYSCTLS])
    for role, number in ROLES.items():
        _wire_host(switch, place.namespace(role), f"port-{role}", number)
    ports, new = _links(switch), set()
    for server in SERVERS:
        if server.tap not in ports:
            run(["ip", "-n", switch, "tuntap", "add", "dev", server.tap, "mode", "tap"])
            plug(place, server, plugged=True)
            run(["ip", "-n", switch, "link", "set", server.tap, "up"])
            new.add(server.name)
    return new


def unwire(place: Place) -> None:
    """Remove every namespace of this lab, and with them all its wires."""
    for role in ("switch", *ROLES):
        netns.delete(place.namespace(role))


def is_wired(place: Place) -> bool:
    """True if all namespaces of this lab exist."""
    return all(netns.exists(place.namespace(role)) for role in ("switch", *ROLES))


def plug(place: Place, server: ServerDefinition, *, plugged: bool) -> None:
    """Put the server's cable into the switch, or pull it.

    The tap itself stays up: User-Mode Linux's adapter never comes back from a tap that was set down. So the
    server sees no loss of carrier, as with a dead switch in between.
    """
    where = ["master", BRIDGE] if plugged else ["nomaster"]
    run(["ip", "-n", place.namespace("switch"), "link", "set", server.tap, *where])


def is_plugged(place: Place, server: ServerDefinition) -> bool:
    """True if the server's cable is in the switch."""
    return _links(place.namespace("switch")).get(server.tap) == BRIDGE


def carry(place: Place, server: ServerDefinition, vlan: int, *, carried: bool) -> None:
    """Let the server's switch port carry VLAN ``vlan`` (1-4094), or not; new ports carry all."""
    dropped = {*dropped_vlans(place), (server.tap, vlan)}
    _drop(place, dropped - {(server.tap, vlan)} if carried else dropped)


def carry_everything(place: Place, taps: set[str]) -> None:
    """Let these switch ports carry every VLAN again, as new ones do."""
    _drop(place, {pair for pair in dropped_vlans(place) if pair[0] not in taps})


def _drop(place: Place, dropped: set[tuple[str, int]]) -> None:
    """Make the pairs of tap and VLAN id in ``dropped`` the ones that the switch does not carry."""
    rules = "".join(
        f"add rule bridge {_TABLE} forward {way}ifname {tap} vlan id {number} drop\n"
        for tap, number in sorted(dropped)
        for way in ("i", "o")
    )
    # One transaction: the table is never half there. `add table` first, so that `delete` finds one.
    script = f"""add table bridge {_TABLE}
delete table bridge {_TABLE}
add table bridge {_TABLE}
add chain bridge {_TABLE} forward {{ type filter hook forward priority 0; }}
{rules}"""
    run(["ip", "netns", "exec", place.namespace("switch"), "nft", "-f", "-"], stdin=script)


def dropped_vlans(place: Place) -> set[tuple[str, int]]:
    """Pairs of tap and VLAN id that the switch does not carry now."""
    listing = attempt([*netns.exec_prefix(place, "switch"), "nft", "list", "table", "bridge", _TABLE])
    pairs = set()
    for line in listing.stdout.splitlines():
        words = line.split()
        if words[:1] == ["iifname"]:
            pairs.add((words[1].strip('"'), int(words[words.index("id") + 1])))
    return pairs


def _wire_host(switch: str, namespace: str, port: str, number: int) -> None:
    """Connect a namespace to the switch by a veth pair, its end called eth0 with the LAN's addresses."""
    if "eth0" not in _links(namespace) or port not in _links(switch):
        # A namespace whose name was deleted may live on, and with it the far end of either.
        attempt(["ip", "-n", switch, "link", "del", port])
        attempt(["ip", "-n", namespace, "link", "del", "eth0"])
        run(
            [
                "ip",
                "-n",
                switch,
                "link",
                "add",
                port,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                namespace,
            ]
        )
    run(["ip", "-n", switch, "link", "set", port, "master", BRIDGE, "up"])
    run(["ip", "-n", namespace, "link", "set", "eth0", "up"])
    for address in lan_addresses(number):
        # Without duplicate address detection an IPv6 address is usable at once.
        flags = ["nodad"] if ":" in address else []
        run(["ip", "-n", namespace, "addr", "replace", address, "dev", "eth0", *flags])


def _links(namespace: str) -> dict[str, str]:
    """Names of the links in a namespace, each with the bridge that holds it (empty: none)."""
    links = json.loads(run(["ip", "-n", namespace, "-j", "link", "show"]) or "[]")
    return {link["ifname"]: link.get("master", "") for link in links}
