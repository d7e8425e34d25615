"""vzctl's two dialects behind one interface: reading NETIF, building commands. Pure.

Dialect "4" is vzctl up to 4.x (legacy OpenVZ), "7" the one of OpenVZ and Virtuozzo 7 to 9. File names in
comments are of kolyshkin/vzctl 4.11.1 for "4", of OpenVZ/vzctl 9.0.1 and OpenVZ/libvzctl 8.0.90 for "7".

vzctl succeeds silently where a person would not: test that the container's conf file exists and has (or has
not) the interface before these commands, and read it again after them; an exit code alone proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from nodes.commands import Command
from nodes.facts import ContainerInterface
from nodes.facts import Dialect as DialectName
from nodes.names import (
    BadName,
    clean,
    host_address,
    require_address,
    require_ctid,
    require_link_name,
    require_mac,
    shown_link_name,
    shown_mac,
)

NO_BRIDGE = "vn-none"
"""The bridge name that means "in no network" on vzctl 4, which cannot clear `bridge=`: `--bridge ''` keeps
the old one (src/lib/veth.c, fill_veth_dev copies only what is not empty). No bridge ever gets this name."""

MAX_INTERFACES = 64
"""Interfaces read from one NETIF."""


class Unsupported(ValueError):
    """This dialect has no way to do that; the text says what to do instead."""


@dataclass(frozen=True, slots=True)
class NetifReading:
    """What a NETIF value says, and sentences about the parts that say nothing."""

    interfaces: tuple[ContainerInterface, ...] = ()
    problems: tuple[str, ...] = ()
    routed_ends: tuple[str, ...] = ()
    """Host-side links of host-routed interfaces, which are no ports of anything (7+)."""


class VzctlDialect(Protocol):
    """What the panel asks of vzctl. Arguments are checked: BadName for what may not be written.

    Every `Command` saves its change to the container's conf file (`--save`), whether it runs or not.
    """

    @property
    def name(self) -> DialectName:
        """Which dialect it is."""
        ...

    def parse_netif(self, ctid: str, value: str) -> NetifReading:
        """Read the value of NETIF (without its quotes). Never raises."""
        ...

    def add_interface(
        self, ctid: str, ifname: str, *, bridge: str, mac: str = "", host_ifname: str = ""
    ) -> Command:
        """A new bridged interface; `bridge` "" for none. The interface must not exist yet."""
        ...

    def remove_interface(self, ctid: str, ifname: str) -> Command:
        """Take the interface away. It must exist."""
        ...

    def move_interface(self, ctid: str, ifname: str, *, bridge: str, host_ifname: str = "") -> Command:
        """Save another bridge for the interface; `bridge` "" for none.

        Dialect 4 changes nothing in the kernel: the running container's port must be moved by `ip` as well.
        """
        ...

    def add_address(self, ctid: str, ifname: str, address: str) -> Command:
        """Give the interface `address/len`, for good. Unsupported where vzctl does not keep it."""
        ...

    def remove_address(self, ctid: str, ifname: str, address: str) -> Command:
        """Take `address` away from the interface. Unsupported where vzctl does not keep it."""
        ...

    def execute(self, ctid: str, script: str) -> Command:
        """Run a shell script inside the running container; its exit code comes through."""
        ...


def dialect(name: DialectName) -> VzctlDialect:
    """The dialect of that name."""
    return Vzctl4() if name == "4" else Vzctl7()


def dialect_of(version: str) -> DialectName | None:
    """The dialect a `vzctl --version` speaks: "4" to 4.x, "7" from 7.0 on, None for what was never tried.

    Versions 5 and 6 are the closed Parallels ones, with a syntax of their own.
    """
    match = re.match(r"(\d{1,3})\.", version)
    if match is None:
        return None
    if int(match[1]) <= 4:
        return "4"
    return "7" if int(match[1]) >= 7 else None


def _execute(ctid: str, script: str) -> Command:
    # exec and exec2 join their arguments with blanks and give them to a shell (4: src/vzctl-actions.c:1409),
    # so the script is one argument, quoted by nobody but Command.shell. exec would turn any failure into 8.
    if not script or "\0" in script:
        raise BadName("a script to run in a container cannot be empty or contain a NUL")
    return Command(("vzctl", "exec2", require_ctid(ctid), script))


def _set(ctid: str, *words: str) -> Command:
    return Command(("vzctl", "set", require_ctid(ctid), *words, "--save"))


def _devices(value: str) -> Iterator[tuple[dict[str, str], str]]:
    """The devices of a NETIF, each as its keys and the text it was made from.

    A token without "=" continues the value before it: 7+ writes lists of IPv6 addresses with commas.
    """
    for part in value.split(";")[: MAX_INTERFACES * 2]:
        keys: dict[str, str] = {}
        last = ""
        for token in part.split(","):
            key, equals, word = token.partition("=")
            if equals:
                last = key.strip()
                keys[last] = word.strip()
            elif last:
                keys[last] += f",{token.strip()}"
        if part.strip():
            yield keys, part


def _read(value: str, make: Make) -> NetifReading:
    found: dict[str, ContainerInterface] = {}
    problems: list[str] = []
    routed: list[str] = []
    for keys, part in _devices(value):
        ifname = shown_link_name(keys.get("ifname", ""))
        if not ifname:
            problems.append(f"an interface without a name in NETIF: {clean(part, 64)}")
        elif ifname in found:
            problems.append(f"{ifname} is in NETIF twice")
        elif len(found) >= MAX_INTERFACES:
            problems.append(f"more than {MAX_INTERFACES} interfaces in NETIF")
            break
        else:
            interface, said = make(ifname, keys)
            found[ifname] = interface
            problems += said
            if interface.mode == "host-routed":
                routed.append(shown_link_name(keys.get("host_ifname", "")))
    return NetifReading(tuple(found.values()), tuple(problems[:20]), tuple(filter(None, routed)))


class Make(Protocol):
    """Makes an interface from its keys; returns sentences about what it could not use."""

    def __call__(self, ifname: str, keys: dict[str, str]) -> tuple[ContainerInterface, list[str]]: ...


@dataclass(slots=True)
class _Ends:
    """The two ends of a veth pair as NETIF names them; "" where it does not."""

    mac: str
    host_mac: str
    host_ifname: str


def _ends(ifname: str, keys: dict[str, str]) -> tuple[_Ends, list[str]]:
    read = {
        "mac": shown_mac(keys.get("mac", "")),
        "host_mac": shown_mac(keys.get("host_mac", "")),
        "host_ifname": shown_link_name(keys.get("host_ifname", "")),
    }
    problems = [f"{ifname}: {key} cannot be read" for key in read if keys.get(key) and not read[key]]
    return _Ends(**read), problems


class Vzctl4:
    """vzctl up to 4.x."""

    name: Literal["4"] = "4"

    def parse_netif(self, ctid: str, value: str) -> NetifReading:
        """`ifname=,bridge=,mac=,host_ifname=,host_mac=[,mac_filter=]`, in any order (src/lib/config.c:1746).

        A missing host_ifname is what vzctl would make of it: veth<CTID>.<digits of ifname, 0 without>
        (config.c:1676). A missing MAC stays unknown: it depends on the server's first NIC.
        """

        def make(ifname: str, keys: dict[str, str]) -> tuple[ContainerInterface, list[str]]:
            ends, problems = _ends(ifname, keys)
            bridge = shown_link_name(keys.get("bridge", ""))
            if keys.get("bridge") and not bridge:
                problems.append(f"{ifname}: bridge cannot be read")
            if not keys.get("host_ifname"):
                digits = re.search(r"[0-9]+", ifname)
                ends.host_ifname = shown_link_name(f"veth{ctid}.{int(digits[0]) if digits else 0}")
            return (
                ContainerInterface(
                    ifname,
                    "bridged",
                    ends.mac,
                    ends.host_ifname,
                    ends.host_mac,
                    configured_bridge="" if bridge == NO_BRIDGE else bridge,
                ),
                problems,
            )

        return _read(value, make)

    def add_interface(
        self, ctid: str, ifname: str, *, bridge: str, mac: str = "", host_ifname: str = ""
    ) -> Command:
        """`--netif_add ifname[,mac,host_ifname,host_mac,bridge]`, empty fields allowed (config.c:1943).

        Not joined to the bridge while running; comes up DOWN inside. Adding an existing name would silently
        overwrite it, and setting a container that does not exist would create a conf file.
        """
        fields = (
            require_link_name(ifname),
            require_mac(mac) if mac else "",
            require_link_name(host_ifname) if host_ifname else "",
            "",
            require_link_name(bridge or NO_BRIDGE),
        )
        return _set(ctid, "--netif_add", ",".join(fields))

    def remove_interface(self, ctid: str, ifname: str) -> Command:
        """`--netif_del ifname`; "all" is a word of its own there (config.c:2429), so no interface's name."""
        if ifname == "all":
            raise BadName("an interface called all cannot be removed alone")
        return _set(ctid, "--netif_del", require_link_name(ifname))

    def move_interface(self, ctid: str, ifname: str, *, bridge: str, host_ifname: str = "") -> Command:
        """`--ifname IF [--host_ifname H] --bridge BR` (src/vzctl-actions.c:118); MACs stay as they are.

        --host_ifname is harmless, and without OpenVZ's kernel it is required (exit code 20 otherwise).
        """
        words = ["--ifname", require_link_name(ifname)]
        if host_ifname:
            words += ["--host_ifname", require_link_name(host_ifname)]
        return _set(ctid, *words, "--bridge", require_link_name(bridge or NO_BRIDGE))

    def add_address(self, ctid: str, ifname: str, address: str) -> Command:
        """Unsupported: --ipadd is always host-routed here; the guest's own files configure its interfaces."""
        raise Unsupported(
            "vzctl 4 keeps no addresses for bridged interfaces: set the address inside the container"
        )

    def remove_address(self, ctid: str, ifname: str, address: str) -> Command:
        """Unsupported, as `add_address`."""
        return self.add_address(ctid, ifname, address)

    def execute(self, ctid: str, script: str) -> Command:
        return _execute(ctid, script)


class Vzctl7:
    """vzctl of OpenVZ and Virtuozzo 7 to 9. Read in its source, never run by us."""

    name: Literal["7"] = "7"

    def parse_netif(self, ctid: str, value: str) -> NetifReading:
        """`ifname=,mac=,host_mac=,host_ifname=[,type=][,network=][,ip=A/m:A/m][,ip6=A/len,A/len]` and more.

        Writer: libvzctl lib/veth.c:803. An entry of type=routed is the host-routed interface venet0
        (veth.c:743). A missing host_ifname is veth + the last four bytes of the MAC (veth.c:224).
        """

        def make(ifname: str, keys: dict[str, str]) -> tuple[ContainerInterface, list[str]]:
            ends, problems = _ends(ifname, keys)
            if keys.get("type") == "routed" or ifname.startswith("venet"):
                return ContainerInterface(ifname, "host-routed", mac=ends.mac), problems
            if not keys.get("host_ifname") and ends.mac:
                ends.host_ifname = "veth" + ends.mac.replace(":", "")[4:]
            addresses = []
            words = keys.get("ip", "").split(":") + keys.get("ip6", "").split(",")
            for word in filter(None, words[:256]):
                if found := host_address(word):
                    addresses.append(found.cidr)
                else:
                    problems.append(f"{ifname}: not an address: {clean(word, 64)}")
            gateway = host_address(keys.get("gw", "")) or host_address(keys.get("gw6", ""))
            return (
                ContainerInterface(
                    ifname,
                    "bridged",
                    ends.mac,
                    ends.host_ifname,
                    ends.host_mac,
                    # A libvirt network's name, or a bridge's with type=bridge: up to 64 characters.
                    configured_bridge=clean(keys.get("network", ""), 64),
                    configured_addresses=tuple(addresses),
                    gateway=gateway.address if gateway else "",
                ),
                problems,
            )

        return _read(value, make)

    def add_interface(
        self, ctid: str, ifname: str, *, bridge: str, mac: str = "", host_ifname: str = ""
    ) -> Command:
        """`--netif_add IF` and options: dialect 4's positional form fails here (vzctl src/vzctl.c:1217)."""
        words = ["--netif_add", require_link_name(ifname)]
        if bridge:
            words += self._network(bridge)
        if mac:
            words += ["--mac", require_mac(mac)]
        if host_ifname:
            words += ["--host_ifname", require_link_name(host_ifname)]
        return _set(ctid, *words)

    def remove_interface(self, ctid: str, ifname: str) -> Command:
        """`--netif_del IF`: a plain name, "all" included (libvzctl lib/env_config.c)."""
        return _set(ctid, "--netif_del", require_link_name(ifname))

    def move_interface(self, ctid: str, ifname: str, *, bridge: str, host_ifname: str = "") -> Command:
        """Moves a running container's port as well; a bridge that does not exist is exit code 136."""
        network = self._network(bridge) if bridge else ["--network", ""]
        return _set(ctid, "--ifname", require_link_name(ifname), *network)

    def add_address(self, ctid: str, ifname: str, address: str) -> Command:
        """`--ipadd` after `--ifname` is the interface's, without it host-routed (vzctl src/vzctl.c:1167)."""
        return _set(ctid, "--ifname", require_link_name(ifname), "--ipadd", require_address(address).cidr)

    def remove_address(self, ctid: str, ifname: str, address: str) -> Command:
        return _set(ctid, "--ifname", require_link_name(ifname), "--ipdel", require_address(address).address)

    def execute(self, ctid: str, script: str) -> Command:
        return _execute(ctid, script)

    @staticmethod
    def _network(bridge: str) -> list[str]:
        # --network sets the type to a libvirt network (lib/veth.c:1313), so --nettype must come after it,
        # every time.
        return ["--network", require_link_name(bridge), "--nettype", "bridge"]
