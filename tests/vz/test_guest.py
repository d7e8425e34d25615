"""What runs inside a container, and what a start, a stop and a power cut leave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vz.machine import Machine, machine

pytestmark = pytest.mark.netns


@pytest.fixture(params=["4", "7"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path, request.param) as ready:
        yield ready


def test_the_guests_own_network_scripts_run_at_every_start(server: Machine) -> None:
    server.ok("vzctl", "create", "101")
    server.ok("vzctl", "set", "101", "--netif_add", "eth0", "--save")
    server.write(
        "/vz/private/101/etc/network-up",
        "ip link set eth0 up; ip addr add 10.9.5.1/24 dev eth0; echo noise; echo $CTID >&2\n",
    )
    for verb in ("start", "restart"):
        assert "noise" not in server.ok("vzctl", verb, "101")
        assert "10.9.5.1/24" in server.ok("vzctl", "exec", "101", "ip", "addr")


def test_a_container_sees_its_own_links_only(server: Machine) -> None:
    server.ok("vzctl", "create", "101")
    server.ok("vzctl", "set", "101", "--netif_add", "eth0", "--save")
    server.ok("vzctl", "start", "101")
    assert (
        server.ok("vzctl", "exec", "101", "echo /sys/class/net/*") == "/sys/class/net/eth0 /sys/class/net/lo"
    )


def test_words_of_exec_are_joined_and_given_to_a_shell(server: Machine) -> None:
    server.ok("vzctl", "create", "101")
    server.ok("vzctl", "start", "101")
    assert server.ok("vzctl", "exec2", "101", "echo", "a   b", ";", "echo", "") == "a b\n"
    assert server.run("vzctl", "exec2", "101", "kill -9 $$").rc == 137
    assert server.run("vzctl", "exec", "101").rc == 20


def test_a_running_daemon_of_the_guest_ends_with_it(server: Machine) -> None:
    server.ok("vzctl", "create", "101")
    server.write("/vz/private/101/etc/network-up", "sleep 1000 & echo $! >/run/daemon\n")
    server.ok("vzctl", "start", "101")
    # A process that ended, reaped or not, has no exe any more.
    runs = ("sh", "-c", "[ -e /proc/$(cat /run/daemon)/exe ]")
    assert server.run(*runs).rc == 0
    server.ok("vzctl", "stop", "101")
    assert server.run(*runs).rc == 1


def test_after_a_reboot_every_container_is_stopped(server: Machine) -> None:
    server.ok("vzctl", "create", "101", "--name", "first")
    server.ok("vzctl", "start", "101")
    # What a reboot does to a tmpfs, and to a namespace that a cut-off stop left.
    (server.root / "run/vz/101").unlink()
    assert server.ok("vzlist", "-a", "-H", "-o", "ctid,status").split() == ["101", "stopped"]
    server.ok("vzctl", "start", "first")
    assert server.ok("vzlist", "-H", "-o", "status") == "running"


def test_a_start_leaves_no_trace_when_it_fails(server: Machine) -> None:
    server.ok("vzctl", "create", "101", "--ipadd", "10.9.0.101")
    server.ok("vzctl", "set", "101", "--netif_add", "eth0", "--save")
    # The name is taken by a link that is none of ours.
    taken = re.search('host_ifname=([^,"]+)', server.line("101", "NETIF"))
    assert taken
    server.ok("ip", "link", "add", taken[1], "type", "bridge")
    before = server.links()
    assert server.run("vzctl", "start", "101").rc == (130 if server.dialect == "4" else 136)
    assert server.links() == before
    assert server.ok("ip", "neigh", "show", "proxy") == ""
    assert server.ok("ip", "netns", "list").split()[:1] == ["lan"]


def test_a_disk_is_filled_without_namespaces_and_says_nothing_of_where_it_lies(server: Machine) -> None:
    server.ok("vzctl", "create", "101", "--hostname", "ct101")
    server.ok(
        "vzctl", "set", "101", "--netif_add", "eth0", "--ipadd", "10.0.0.1", "--onboot", "yes", "--save"
    )
    texts = [path.read_text() for path in (server.root / "etc/vz/conf").iterdir() if path.exists()]
    links = [path.readlink() for path in (server.root / "etc/vz").rglob("*") if path.is_symlink()]
    assert not any(str(server.root) in str(found) for found in (*texts, *links, server.conf("101")))
    assert server.line("101", "ONBOOT") == 'ONBOOT="yes"'
