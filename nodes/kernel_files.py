"""The kernel's own files about links, as the probe prints them ("path:value"). Pure; never raises.

Sysfs is the same in every userland, so it says which links there are; iproute2 adds what it does not know
(addresses, the other end of a veth).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from nodes.facts import Bond, Bridge, Link, LinkKind, Vlan
from nodes.iproute import MAX_LINKS, NetView, SeenLink, link_kind
from nodes.names import clean, shown_link_name, shown_mac

_ADAPTER_NAME = re.compile(r"(eth|en[opsxP]|em|p\d+p)[0-9a-z]+")
_CONF4, _CONF6 = "/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf"

SYSCTLS = {
    "/proc/sys/net/ipv4/ip_forward": "net.ipv4.ip_forward",
    f"{_CONF6}/all/forwarding": "net.ipv6.conf.all.forwarding",
    f"{_CONF4}/all/proxy_arp": "net.ipv4.conf.all.proxy_arp",
    f"{_CONF4}/all/arp_ignore": "net.ipv4.conf.all.arp_ignore",
    f"{_CONF6}/all/disable_ipv6": "net.ipv6.conf.all.disable_ipv6",
    "/proc/sys/net/bridge/bridge-nf-call-iptables": "net.bridge.bridge-nf-call-iptables",
    "/proc/sys/net/bridge/bridge-nf-call-ip6tables": "net.bridge.bridge-nf-call-ip6tables",
    "/proc/sys/net/bridge/bridge-nf-call-arptables": "net.bridge.bridge-nf-call-arptables",
    "/proc/sys/net/bridge/bridge-nf-filter-vlan-tagged": "net.bridge.bridge-nf-filter-vlan-tagged",
}
"""Files of kernel settings that matter to bridging, with their sysctl names."""
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,16}|[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """Lines of files by path; paths under /sys/class/net are relative ("eth0/mtu").

    `devices` are the links with hardware behind them, `masters` maps a link to its bridge or bond.
    """

    lines: dict[str, tuple[str, ...]]
    devices: frozenset[str] = frozenset()
    masters: dict[str, str] | None = None

    def first(self, path: str) -> str:
        """The first line of that file, "" without one."""
        lines = self.lines.get(path, ())
        return lines[0].strip() if lines else ""

    def number(self, path: str, top: int = 2**31 - 1) -> int | None:
        """The first line as a number (decimal or 0x), None if it is none or out of 0..top."""
        text = self.first(path)
        if not _NUMBER.fullmatch(text):
            return None
        value = int(text, 16) if text.startswith("0x") else int(text)
        return value if value <= top else None

    def sysctls(self) -> dict[str, str]:
        """Settings by sysctl name, only those that this kernel has."""
        return {name: clean(self.first(path), 32) for path, name in SYSCTLS.items() if path in self.lines}


def parse_kernel_files(text: str, masters: str = "") -> KernelFiles:
    """Read "path:value" lines and the lines "device LINK" and "master LINK BRIDGE" of the probe."""
    lines: dict[str, list[str]] = {}
    for line in text.split("\n"):
        path, colon, value = line.partition(":")
        if colon and len(path) <= 200:
            lines.setdefault(path, []).append(value)
    words = [line.split() for line in masters.split("\n")]
    return KernelFiles(
        {path: tuple(values) for path, values in lines.items()},
        frozenset(word[1] for word in words if len(word) == 2 and word[0] == "device"),
        {word[1]: word[2] for word in words if len(word) == 3 and word[0] == "master"},
    )


def server_links(
    files: KernelFiles, view: NetView, host_ends: dict[str, LinkKind]
) -> tuple[tuple[Link, ...], tuple[str, ...]]:
    """The server's links, by index, and names that no kernel should have.

    `host_ends` are the host sides of containers' interfaces: veth of bridged ones, venet of host-routed ones.
    """
    vlans = _vlans(files.lines.get("/proc/net/vlan/config", ()))
    seen = {found.link.name: found for found in view.links}
    links: list[Link] = []
    odd: list[str] = []
    for path in files.lines:
        name, slash, rest = path.rpartition("/")
        if rest != "ifindex" or not slash or name.startswith("/"):
            continue
        if not shown_link_name(name):
            odd.append(clean(name, 64))
        elif len(links) < MAX_LINKS:
            links.append(_link(files, name, seen.get(name), vlans, host_ends.get(name)))
    links.sort(key=lambda link: (link.index, link.name))
    return tuple(links), tuple(odd)


def _vlans(lines: tuple[str, ...]) -> dict[str, Vlan]:
    """/proc/net/vlan/config: "eth0.100 | 100 | eth0"."""
    found = {}
    for line in lines:
        words = [word.strip() for word in line.split("|")]
        if len(words) == 3 and re.fullmatch(r"[0-9]{1,4}", words[1]) and 1 <= int(words[1]) <= 4094:
            found[words[0]] = Vlan(shown_link_name(words[2]), int(words[1]))
    return found


def _link(
    files: KernelFiles, name: str, seen: SeenLink | None, vlans: dict[str, Vlan], end: LinkKind | None
) -> Link:
    base = seen.link if seen else Link(name=name, kind="other")
    flags = files.number(f"{name}/flags") or 0
    carrier, speed = files.number(f"{name}/carrier"), files.number(f"{name}/speed", 10_000_000)
    vlan = vlans.get(name) or base.vlan
    if seen and seen.foreign_vlan:
        vlan = None
    link = replace(
        base,
        index=files.number(f"{name}/ifindex") or base.index,
        mac=shown_mac(files.first(f"{name}/address")) or base.mac,
        mtu=files.number(f"{name}/mtu") or base.mtu,
        up=bool(flags & 1) if flags else base.up,
        carrier=None if carrier is None else carrier == 1,
        master=shown_link_name((files.masters or {}).get(name, "")) or base.master,
        # NET_ADDR_SET (include/uapi/linux/netdevice.h): a bridge then no longer takes its ports' lowest MAC.
        mac_pinned=files.first(f"{name}/addr_assign_type") == "3"
        if f"{name}/addr_assign_type" in files.lines
        else None,
        vlan=vlan,
        bond=_bond(files, name) or base.bond,
        bridge=_bridge(files, name) or base.bridge,
        speed_mbit=speed or None,
        # As the kernel uses them: either switch is enough (IN_DEV_ORCONF, IN_DEV_MAXCONF in inetdevice.h).
        proxy_arp="1" in {files.first(f"{_CONF4}/{dev}/proxy_arp") for dev in (name, "all")},
        arp_ignore=max(files.number(f"{_CONF4}/{dev}/arp_ignore", 8) or 0 for dev in (name, "all")),
        ipv6_disabled=files.first(f"{_CONF6}/{name}/disable_ipv6") == "1",
    )
    return replace(link, kind=_kind(files, link, seen, end))


def _bond(files: KernelFiles, name: str) -> Bond | None:
    """bonding/mode is "active-backup 1", bonding/slaves "eth1 eth2"."""
    mode = files.first(f"{name}/bonding/mode").split()
    if len(mode) != 2 or mode[1] not in {"0", "1", "2", "3", "4", "5", "6"}:
        return None
    slaves = files.first(f"{name}/bonding/slaves").split()
    return Bond(int(mode[1]), tuple(filter(None, map(shown_link_name, slaves[:64]))))


def _bridge(files: KernelFiles, name: str) -> Bridge | None:
    if f"{name}/bridge/stp_state" not in files.lines:
        return None
    filtering = files.number(f"{name}/bridge/vlan_filtering")
    return Bridge(
        stp=files.number(f"{name}/bridge/stp_state") not in {0, None},
        forward_delay_s=(files.number(f"{name}/bridge/forward_delay") or 0) / 100,
        vlan_filtering=None if filtering is None else filtering == 1,
    )


def _kind(files: KernelFiles, link: Link, seen: SeenLink | None, end: LinkKind | None) -> LinkKind:
    word = seen.word if seen else ""
    if link.bridge:
        return "bridge"
    if link.bond:
        return "bond"
    if link.vlan:
        return "vlan"
    if end and word in {"", "veth"}:
        return end
    if f"{link.name}/tun_flags" in files.lines:
        return "tap"
    if link.name in files.devices and files.first(f"{link.name}/type") == "1":
        return "nic"
    # A server that is itself a container has a veth for a NIC, called like one.
    if word == "veth" and _ADAPTER_NAME.fullmatch(link.name):
        return "nic"
    if word == "vlan":  # 802.1ad, or unreadable
        return "other"
    return link_kind(link.name, word)
