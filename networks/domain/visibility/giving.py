"""Fixes that give a container an address: one of the subnet on its wire, or a host-routed one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from networks.domain.errands import HOST_ROUTED
from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import AddAddress, InterfaceKey, ServerId
from networks.domain.visibility.addresses import BITS, Ip
from networks.domain.visibility.free import FreeAddresses
from networks.domain.visibility.hosts import Host
from networks.domain.visibility.naming import Names
from networks.domain.visibility.verdict import Fix, OtherHosts
from networks.domain.visibility.world import World

_COMPATIBLE = "The manual, step 2: their IP addresses and net masks must be compatible with each other."


def _make_sure(ip: Ip) -> str:
    """What the panel cannot know of an address that it proposes."""
    return f"Make sure that nobody else has {ip}: it is only known not to be used by what the panel sees."


def gives_host_routed(fix: Fix) -> bool:
    """Whether one of its edits gives a host-routed address."""
    return any(isinstance(e, AddAddress) and e.interface.ifname == HOST_ROUTED for e in fix.edits)


@dataclass(frozen=True)
class Giving:
    """Gives addresses that are free as far as the panel sees, as edits; without one, it says how by hand."""

    world: World
    names: Names

    @cached_property
    def _free(self) -> FreeAddresses:
        return FreeAddresses(self.world)

    def host_routed(self, host: Host) -> Iterator[Fix]:
        """A first host-routed address for a container, of the subnet that its server is in."""
        key = host.key
        if not isinstance(key, ContainerKey) or host.host_routed or host.up is False:
            return
        like = self._subnet_of(key.server)
        name = self.names.end(key, short=True)
        how = "The server then answers for it (proxy ARP) and routes to it; no bridge is needed for that."
        free = self._free.of_subnet(like, host.addresses) if like else None
        if free is not None and self._free.is_served(key):
            venet = InterfaceKey(key.server, key.ctid, HOST_ROUTED)
            yield Fix(
                f"Give {name} the host-routed address {free}",
                (AddAddress(venet, f"{free}/{BITS[free.version]}"),),
                (how, _make_sure(free)),
            )
            return
        address = (
            f"a free address of {like.subnet}" if like else "a free address that the server's network routes"
        )
        yield Fix(
            f"Give {name} a host-routed address",
            steps=(
                f"On the server: vzctl set {key.ctid} --ipadd ADDRESS --save, with {address} for ADDRESS.",
                how,
            ),
        )

    def _subnet_of(self, server: ServerId) -> Ip | None:
        found = self.world.hosts.get(ServerRef(server))
        return next((ip for ip in found.addresses if ip.version == 4), None) if found else None

    def same_subnet(self, a: Host, b: Host) -> Iterator[Fix]:
        """An address of the subnet that the other uses, for the container of the two."""
        first, second = (a, b) if isinstance(a.key, ContainerKey) else (b, a)
        if (found := self.beside(first, second)) is not None:
            yield found
            return
        if isinstance(second.key, OtherHosts):
            keep = next(iter(self.world.subnets.get(second.ports[0].segment, ())), None)
        else:
            keep = next(iter(second.addresses), None)
        if keep is not None and any(ip.covers(keep) for ip in first.addresses):
            return  # It has one, and that is not what is missing.
        where = f" of {keep.subnet}" if keep and keep.prefix < BITS[keep.version] else ""
        yield Fix(
            f"Give {self.names.end(first.key, short=True)} an address{where}",
            steps=(
                _COMPATIBLE,
                "In the Container's own network files; on version 7 and later, vzctl set --ifname … --ipadd.",
            ),
        )

    def beside(self, host: Host, far: Host) -> Fix | None:
        """A free address of the subnet that is on the wire between the two; None where none is known."""
        found = self._free.beside(host, far)
        if found is None:
            return None
        key, ip = found
        name = self.names.end(ContainerKey(key.server, key.ctid), short=True)
        return Fix(
            f"Give {key.ifname} of {name} the address {ip}/{ip.prefix}",
            (AddAddress(key, f"{ip}/{ip.prefix}"),),
            (_COMPATIBLE, _make_sure(ip)),
        )
