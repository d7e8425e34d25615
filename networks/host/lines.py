"""The lines of a plan as values: steps, what is kept, what vzctl saves, and errands. Pure.

`words()` are the words of the line as `grammar.py` gives its form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Vlan:
    """Make the VLAN adapter `dev` on `base` with id `vid` (1 to 4094), or check it is just that; up."""

    dev: str
    base: str
    vid: int

    def words(self) -> tuple[str, ...]:
        return ("step", "vlan", self.dev, self.base, str(self.vid))


@dataclass(frozen=True, slots=True)
class Bridge:
    """`bridge` holds `adapter` and takes over its layer 3; "" makes it local (and releases one it holds)."""

    bridge: str
    adapter: str = ""

    def words(self) -> tuple[str, ...]:
        return ("step", "bridge", self.bridge, self.adapter or "-")


@dataclass(frozen=True, slots=True)
class Adopt:
    """An existing bridge that already holds `adapter`: checked, never changed."""

    bridge: str
    adapter: str

    def words(self) -> tuple[str, ...]:
        return ("step", "adopt", self.bridge, self.adapter)


@dataclass(frozen=True, slots=True)
class Port:
    """A container's host-side interface goes into `bridge`, or with "" out of whatever bridge it is in."""

    iface: str
    bridge: str = ""

    def words(self) -> tuple[str, ...]:
        return ("step", "port", self.iface, self.bridge or "-")


@dataclass(frozen=True, slots=True)
class RemoveBridge:
    """Empty `bridge`: its layer 3 goes back to `adapter`, every port leaves.

    `follow` deletes the bridge itself once no saved container configuration refers to it.
    """

    bridge: str
    adapter: str = ""

    def words(self) -> tuple[str, ...]:
        return ("step", "rmbridge", self.bridge, *((self.adapter,) if self.adapter else ()))


@dataclass(frozen=True, slots=True)
class RemoveVlan:
    """Delete the VLAN adapter `dev`; refused while it is in a bridge or carries an address."""

    dev: str

    def words(self) -> tuple[str, ...]:
        return ("step", "rmvlan", self.dev)


@dataclass(frozen=True, slots=True)
class KeepVlan:
    """Part of the server's committed state after this plan: this VLAN adapter."""

    dev: str
    base: str
    vid: int

    def words(self) -> tuple[str, ...]:
        return ("keep", "vlan", self.dev, self.base, str(self.vid))


@dataclass(frozen=True, slots=True)
class KeepBridge:
    """Part of the committed state: this bridge with its adapter ("" = local).

    `adopted`: the operating system makes it at boot; the replay checks it and changes nothing of it.
    """

    bridge: str
    adapter: str = ""
    adopted: bool = False

    def words(self) -> tuple[str, ...]:
        return ("keep", "adopted" if self.adopted else "bridge", self.bridge, self.adapter or "-")


@dataclass(frozen=True, slots=True)
class Save:
    """What vzctl must have saved after the commit: the `bridge` of one container interface ("" = none).

    `dialect` is vzctl's generation; `ctid` a number, or on 7+ also a UUID.
    """

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str
    host_ifname: str
    bridge: str = ""

    def words(self) -> tuple[str, ...]:
        return ("save", self.dialect, self.ctid, self.ifname, self.host_ifname, self.bridge or "-")


@dataclass(frozen=True, slots=True)
class Place:
    """What an earlier commit left vzctl to do for the interface is done for `bridge` now ("": for none).

    An interface that is still to be made is made there; a bridge that is still to be saved is not.
    """

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str
    bridge: str = ""

    def words(self) -> tuple[str, ...]:
        return ("place", self.dialect, self.ctid, self.ifname, self.bridge or "-")


@dataclass(frozen=True, slots=True)
class NetifAdd:
    """What vzctl is to do once after the commit: make a bridged interface, joined to `bridge` ("": none).

    `mac` and `host_ifname` "" leave the choice to vzctl.
    """

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str
    mac: str = ""
    host_ifname: str = ""
    bridge: str = ""

    def words(self) -> tuple[str, ...]:
        names = (self.mac or "-", self.host_ifname or "-", self.bridge or "-")
        return ("netif_add", self.dialect, self.ctid, self.ifname, *names)


@dataclass(frozen=True, slots=True)
class NetifDel:
    """What vzctl is to do once after the commit: take a bridged interface away."""

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str

    def words(self) -> tuple[str, ...]:
        return ("netif_del", self.dialect, self.ctid, self.ifname)


@dataclass(frozen=True, slots=True)
class IpAdd:
    """What is to be done once after the commit: give the interface `address` ("10.77.0.5/24").

    "venet0" is the host-routed interface. On vzctl 4 a bridged one gets it inside the running container.
    """

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str
    address: str

    def words(self) -> tuple[str, ...]:
        return ("ipadd", self.dialect, self.ctid, self.ifname, self.address)


@dataclass(frozen=True, slots=True)
class IpDel:
    """As `IpAdd`: take `address` away."""

    dialect: Literal["4", "7"]
    ctid: str
    ifname: str
    address: str

    def words(self) -> tuple[str, ...]:
        return ("ipdel", self.dialect, self.ctid, self.ifname, self.address)


Errand = NetifAdd | NetifDel | IpAdd | IpDel
Step = Vlan | Bridge | Adopt | Port | RemoveBridge | RemoveVlan
Keep = KeepVlan | KeepBridge
