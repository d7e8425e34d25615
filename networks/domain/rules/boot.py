"""Rule 14: whether the next boot of a server brings back what runs there now."""

from __future__ import annotations

from collections.abc import Iterator

from networks.domain import words
from networks.domain.inventory import (
    BootView,
    ContainerKey,
    Inventory,
    NetworkRef,
    ServerRef,
    Subject,
)
from networks.domain.rules.problem import Problem
from networks.domain.state import AdapterKey, Assignment, Desired, NetworkId, ServerId

PREPARE = "Apply any change on that server: the panel prepares it again before it sends the plan."


def boot_brings_back_what_runs(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 14: the committed record's replay on top of the server's own boot files gives what runs now.

    About servers that have committed something, and networks that stay as they are: what a draft changes
    is brought into the record by its Change.
    """
    problems: list[Problem] = []
    for server in inventory.servers:
        boot = server.boot
        if server.os == "windows" or boot is None or not boot.keeps:
            continue
        here = [network for network in after.networks_on(server.id) if before.network(network) is not None]
        if here:
            problems += _replay(server.id, here, boot, after, inventory)
            for network in here:
                problems += _network(network, server.id, boot, before, after, inventory)
    return problems


def _replay(
    server: ServerId, here: list[NetworkId], boot: BootView, after: Desired, inventory: Inventory
) -> Iterator[Problem]:
    name = words.sentence(words.server(server, inventory))
    subjects: tuple[Subject, ...] = (ServerRef(server), *map(NetworkRef, here))
    names = words.networks(here, after)
    if boot.replay in ("missing", "disabled"):
        how = "is not installed" if boot.replay == "missing" else "is installed but not enabled"
        yield Problem(
            "reboot-risk",
            "warn",
            f"{name} would lose {names} at its next boot: what brings back the committed state {how} there.",
            subjects,
            PREPARE
            if boot.replay == "missing"
            else "Enable it: systemctl enable vnetpanel-net, or chkconfig vnetpanel-net on.",
        )
    if not boot.hook and any(after.members_of(network, server) for network in here):
        yield Problem(
            "reboot-risk",
            "warn",
            f"Containers of {names} that start on {words.server(server, inventory)} would stay out of their "
            "bridges: the panel's start hook of vzctl is not in vznet.conf.",
            subjects,
            "Take another EXTERNAL_SCRIPT out of /etc/vz/vznet.conf, then apply any change on that server.",
            detail="hook",
        )


def _network(
    network: NetworkId,
    server: ServerId,
    boot: BootView,
    before: Desired,
    after: Desired,
    inventory: Inventory,
) -> Iterator[Problem]:
    was, now = before.assignment(network, server), after.assignment(network, server)
    name, where = words.network(network, after), words.server(server, inventory)
    subjects = (NetworkRef(network), ServerRef(server))
    row = before.network(network)
    bridge = (was.bridge if was else "") or (row.bridge if row else "")
    recorded = {keep[1] for keep in boot.keeps if keep[0] in ("bridge", "adopted")}
    if bridge and network in before.networks_on(server) and bridge not in recorded:
        yield Problem(
            "reboot-risk",
            "warn",
            f"{words.sentence(where)} would come up without {name}: its own record does not name {bridge}.",
            subjects,
            "Repair the server: the record is written anew.",
            detail="record",
        )
    if now is not None and now.adapter and was == now:
        yield from _adapter(now, bridge, boot, name, inventory)
    off = sorted(
        {member.interface.ctid for member in after.members_of(network, server)} & boot.off, key=_numbers_first
    )
    if off:
        yield Problem(
            "reboot-risk",
            "warn",
            f"{words.listed([f'Container {ctid}' for ctid in off])} of {name} on {where} "
            f"{'runs' if len(off) == 1 else 'run'} now but would not be started at the next boot.",
            (*subjects, *(ContainerKey(server, ctid) for ctid in off)),
            "Set ONBOOT to yes: vzctl set CTID --onboot yes --save.",
        )


def _adapter(
    assignment: Assignment, bridge: str, boot: BootView, name: str, inventory: Inventory
) -> Iterator[Problem]:
    adapter = assignment.adapter or ""
    key = AdapterKey(assignment.server, adapter)
    subjects = (NetworkRef(assignment.network), ServerRef(assignment.server), key)
    other = boot.ports.get(adapter, "")
    what = words.sentence(words.adapter(key, inventory))
    if other and other != bridge:
        yield Problem(
            "reboot-risk",
            "warn",
            f"{what} would be in {other} after the next boot, so {name} would come up without it: the "
            "server's own network files say so.",
            subjects,
            f"Take {adapter} out of {other} in the server's network configuration.",
        )
    elif adapter in boot.dhcp and not assignment.bridge:
        yield Problem(
            "reboot-risk",
            "warn",
            f"{what} gets its address by DHCP at boot, so {name} would come up without it: a leased address "
            "cannot move to a bridge.",
            subjects,
            f"Give {adapter} a static address in the server's network configuration.",
            detail="dhcp",
        )


def _numbers_first(ctid: str) -> tuple[int, str]:
    return (int(ctid), "") if ctid.isdigit() else (2**40, ctid)
