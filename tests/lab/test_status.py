from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from lab.definition import SERVERS
from lab.lab import Lab
from lab.place import CHECKOUT
from lab.status import look

pytestmark = pytest.mark.lab


def lab_command(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    """``manage.py lab WORDS`` on this lab."""
    environment = {**os.environ, "VNETPANEL_LAB_STATE": str(lab.place.state)}
    argv = [sys.executable, "manage.py", "lab", *words]
    return subprocess.run(argv, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120)


def test_it_names_every_server_container_and_interface_as_json(lab: Lab) -> None:
    done = lab_command(lab, "status", "--json")
    status = json.loads(done.stdout)

    assert done.returncode == 0
    assert status["state"] == "up"
    servers = {one["name"]: one for one in status["servers"]}
    assert {n: (s["address"], s["state"], s["cable"], s["dialect"]) for n, s in servers.items()} == {
        "server1": ("10.77.0.11", "ready", "in", "4"),
        "server2": ("10.77.0.12", "ready", "in", "4"),
        "server3": ("10.77.0.13", "ready", "in", "7"),
    }
    containers = {c["ctid"]: c for s in status["servers"] for c in s["containers"]}
    assert len(containers) == 11
    assert {c["state"] for c in containers.values()} == {"running"}
    modes = {
        ctid: [(i["ifname"], i["mode"]) for i in container["interfaces"]]
        for ctid, container in containers.items()
    }
    assert modes["101"] == [("venet0", "host-routed")]
    assert modes["201"] == [("eth0", "bridged"), ("eth1", "bridged")]
    assert modes["302"] == [("venet0", "host-routed"), ("eth0", "bridged")]
    assert containers["201"]["inner_bridge_addresses"] == ["10.77.0.201/24", "fd77::201/64"]


def test_every_interface_has_its_address_mac_and_host_side(lab: Lab) -> None:
    containers = {c.ctid: c for s in look(lab).servers for c in s.containers}
    for definition in (c for s in SERVERS for c in s.containers):
        found = {i.ifname: i for i in containers[definition.ctid].interfaces}
        for interface in definition.bridged:
            seen = found[interface.ifname]
            assert sorted(seen.addresses) == sorted(interface.addresses), definition.ctid
            assert len(seen.mac) == 17
            assert seen.host_ifname.startswith("veth")
        if definition.host_routed:
            bare = {address.partition("/")[0] for address in found["venet0"].addresses}
            assert set(definition.host_routed) <= bare, definition.ctid


def test_fingerprints_are_those_that_ssh_meets(lab: Lab) -> None:
    for one in look(lab).servers:
        scanned = subprocess.run(
            ["ssh-keyscan", "-T", "20", "-t", "ed25519", one.address], capture_output=True, text=True
        ).stdout
        said = subprocess.run(
            ["ssh-keygen", "-lf", "-"], input=scanned, capture_output=True, text=True
        ).stdout
        assert one.host_key_sha256 in said.split()


def test_it_shows_what_is_pulled_and_switched_off(lab: Lab) -> None:
    lab.cable("server1", plugged=False)
    lab.trunk("server2", 100, carried=False)
    status = look(lab)
    lab.cable("server1", plugged=True)
    lab.trunk("server2", 100, carried=True)

    assert [one.cable for one in status.servers] == ["out", "in", "in"]
    assert status.untrunked == ["server2 100"]
    assert look(lab).untrunked == []


def test_the_command_line_passes_output_and_exit_code_on(lab: Lab) -> None:
    done = lab_command(lab, "exec", "server2", "sh", "-c", "echo out; echo err >&2; exit 5")

    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 5)


def test_the_command_line_pulls_and_plugs(lab: Lab) -> None:
    assert lab_command(lab, "cable", "server3", "out").returncode == 0
    assert lab_command(lab, "trunk", "server3", "100", "off").returncode == 0
    status = lab_command(lab, "status").stdout
    assert lab_command(lab, "cable", "server3", "in").returncode == 0
    assert lab_command(lab, "trunk", "server3", "100", "on").returncode == 0

    assert "cable out" in status
    assert "does not carry to server3 100" in status


def test_a_wrong_vlan_is_one_sentence_and_exit_code_1(lab: Lab) -> None:
    done = lab_command(lab, "trunk", "server1", "5000", "off")

    assert (done.returncode, done.stderr) == (1, "5000 is no VLAN id; they run from 1 to 4094.\n")
