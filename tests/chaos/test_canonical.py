"""The whole of a server as the oracle compares it: without numbers that the kernel gives out anew."""

from __future__ import annotations

from chaos.oracle import canonical

ANSWER = """\
1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue state UNKNOWN qlen 1000\\    link/loopback 00:00
{n}: veth102.0@if2: <BROADCAST,UP> mtu 1500 qdisc noqueue master vn-a state UP qlen 1000\\    link/ether 00:18
3: venet0: <BROADCAST> mtu 1500 qdisc noqueue state DOWN
==
{n}: vn-a    inet 10.77.0.11/24 scope global vn-a\\       valid_lft forever preferred_lft forever
==
10.77.0.101 dev vn-a proxy
==
0: from all lookup local
==
{routes}
anycast fd77:: dev vn-a table local
fe80::/64 dev eth0 proto kernel
==
/proc/sys/net/ipv4/conf/vn-a/forwarding:1
==
keep bridge vn-a eth0
==
/etc/vz/conf/102.conf:NETIF="ifname=eth0,bridge=vn-none,mac=00:18"
"""
ROUTES = ("default via 10.77.0.1 dev vn-a", "10.77.0.0/24 dev vn-a proto kernel scope link")


def test_numbers_and_the_order_of_routes_do_not_count() -> None:
    one = canonical(ANSWER.format(n=7, routes="\n".join(ROUTES)))
    assert one == canonical(ANSWER.format(n=12, routes="\n".join(reversed(ROUTES))))
    assert one.splitlines() == [
        "lo: <LOOPBACK,UP> mtu 65536",
        "veth102.0: <BROADCAST,UP> mtu 1500",
        "port veth102.0 vn-a",
        "vn-a    inet 10.77.0.11/24 scope global vn-a\\",
        "10.77.0.101 dev vn-a proxy",
        "0: from all lookup local",
        "10.77.0.0/24 dev vn-a proto kernel scope link",
        "default via 10.77.0.1 dev vn-a",
        "/proc/sys/net/ipv4/conf/vn-a/forwarding:1",
        "keep bridge vn-a eth0",
        '/etc/vz/conf/102.conf:NETIF="ifname=eth0,mac=00:18"',
    ]


def test_what_differs_counts() -> None:
    whole = ANSWER.format(n=7, routes="\n".join(ROUTES))
    for old, new in (
        ("master vn-a", "master vn-b"),
        ("forwarding:1", "forwarding:0"),
        ("mtu 1500", "mtu 1400"),
    ):
        assert canonical(whole) != canonical(whole.replace(old, new, 1))
