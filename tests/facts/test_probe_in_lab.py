"""The probe on the lab's servers: real kernels with VLANs, both vzctl dialects, SysV and systemd."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace

import pytest

from lab import status as lab_status
from lab.lab import Lab
from nodes.facts import Container, ProxyEntry, ServerFacts, Vlan
from nodes.probe import new_nonce, probe_command
from nodes.probe_output import parse_look
from tests.facts.test_probe import SHELLS, link, steady

pytestmark = pytest.mark.lab
SERVERS = ("server1", "server2", "server3")


def look(lab: Lab, name: str, *shell: str, **environment: str) -> ServerFacts:
    """One look over SSH: one exec."""
    nonce = new_nonce()
    command = probe_command(nonce)
    words = [*(f"{key}={value}" for key, value in environment.items()), *(shell or ("sh",))]
    line = shlex.join(["env", *words, *command.argv[1:]])
    done = subprocess.run(
        [*lab.ssh_argv(name), line], input=command.stdin, capture_output=True, check=True, timeout=60
    )
    return parse_look(done.stdout, nonce)


def container(facts: ServerFacts, ctid: str) -> Container:
    return next(one for one in facts.containers if one.ctid == ctid)


@pytest.fixture(scope="module")
def facts(lab: Lab) -> dict[str, ServerFacts]:
    return {name: look(lab, name) for name in SERVERS}


def test_it_knows_dialect_capabilities_and_the_way_we_came(facts: dict[str, ServerFacts]) -> None:
    assert [facts[name].vzctl_dialect for name in SERVERS] == ["4", "4", "7"]
    assert [facts[name].management_link for name in SERVERS] == ["eth0", "eth0", "br0"]
    assert all({"bridge", "vlan", "vlan_filtering", "flock"} <= one.capabilities for one in facts.values())
    assert "systemd" in facts["server2"].capabilities and "systemd" not in facts["server1"].capabilities
    assert all(one.true_ms is not None for one in facts.values())


def test_it_finds_nothing_wrong(facts: dict[str, ServerFacts]) -> None:
    assert {name: one.findings for name, one in facts.items()} == dict.fromkeys(SERVERS, ())


def test_it_sees_the_bridge_that_server_3_came_with(facts: dict[str, ServerFacts]) -> None:
    assert link(facts["server3"], "eth0").kind == "nic" and link(facts["server3"], "eth0").master == "br0"
    assert link(facts["server3"], "br0").kind == "bridge"
    assert not any(one.kind == "bridge" for one in facts["server1"].links)


def test_it_sees_host_routed_containers_with_their_proxy_entries(facts: dict[str, ServerFacts]) -> None:
    for server, ctid, address, dev in (
        ("server1", "101", "10.77.0.101", "eth0"),
        ("server3", "302", "10.77.0.32", "br0"),
    ):
        assert address in container(facts[server], ctid).host_routed
        assert ProxyEntry(4, address, dev) in facts[server].proxies
    assert "venet" in {one.kind for one in facts["server3"].links}


def test_it_sees_the_bridge_inside_container_201(facts: dict[str, ServerFacts]) -> None:
    inside = container(facts["server2"], "201").inside
    assert inside is not None
    (bridge,) = (one for one in inside.links if one.kind == "bridge")
    assert {one.name for one in inside.links if one.master == bridge.name} == {"eth0", "eth1"}
    assert "10.77.0.201/24" in {address.cidr for address in bridge.addresses}


def test_it_agrees_with_the_lab_about_every_interface(lab: Lab, facts: dict[str, ServerFacts]) -> None:
    for server in lab_status.look(lab).servers:
        for made in server.containers:
            found = container(facts[server.name], made.ctid)
            assert (found.name, found.status) == (made.name, made.state)
            assert {(i.ifname, i.mode) for i in found.interfaces} == {
                (i.ifname, i.mode) for i in made.interfaces
            }
            assert {(i.mac, i.host_ifname) for i in found.interfaces if i.mode == "bridged"} == {
                (i.mac, i.host_ifname) for i in made.interfaces if i.mode == "bridged"
            }


@pytest.mark.parametrize("name", SERVERS)
def test_looking_by_vzctl_exec_brings_the_same(lab: Lab, facts: dict[str, ServerFacts], name: str) -> None:
    """As on OpenVZ's 2.6.32, where no network namespace has a name."""
    assert steady(look(lab, name, PROBE_NETNS="/nowhere")) == steady(facts[name])


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_every_shell_brings_the_same(lab: Lab, facts: dict[str, ServerFacts], shell: tuple[str, ...]) -> None:
    assert steady(look(lab, "server3", *shell)) == steady(facts["server3"])


def test_it_sees_vlan_adapters_and_filtering_bridges(lab: Lab) -> None:
    lab.check(
        "server2",
        "ip link add link eth0 name eth0.100 type vlan id 100 && "
        "ip link add vn-look type bridge vlan_filtering 1 "
        "&& ip link set eth0.100 master vn-look",
    )
    try:
        found = look(lab, "server2")
    finally:
        lab.check("server2", "ip link del eth0.100; ip link del vn-look")
    assert link(found, "eth0.100").vlan == Vlan("eth0", 100)
    assert (link(found, "eth0.100").kind, link(found, "eth0.100").master) == ("vlan", "vn-look")
    bridge = link(found, "vn-look").bridge
    assert bridge is not None and bridge.vlan_filtering is True


def test_a_half_written_conf_file_spoils_nothing_else(lab: Lab, facts: dict[str, ServerFacts]) -> None:
    lab.check("server1", "printf 'NETIF=\"ifname=eth0,bri' > /etc/vz/conf/150.conf")
    try:
        found = look(lab, "server1")
    finally:
        lab.check("server1", "rm /etc/vz/conf/150.conf")
    assert {(one.code, one.subject) for one in found.findings} == {
        ("conf_broken", "150"),
        ("container_hidden", "150"),
    }
    kept = tuple(one for one in found.containers if one.ctid != "150")
    assert replace(steady(found), containers=kept, findings=()) == steady(facts["server1"])
