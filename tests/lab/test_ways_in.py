from __future__ import annotations

import paramiko
import pytest

from lab.definition import SERVERS
from lab.lab import Lab
from tests.lab.pings import answers, reaches

pytestmark = pytest.mark.lab

NAMES = [server.name for server in SERVERS]
NUMBERS = [server.number for server in SERVERS]


@pytest.mark.parametrize("number", [1, *NUMBERS])
def test_every_host_answers_on_both_protocols(lab: Lab, number: int) -> None:
    assert answers(f"10.77.0.{number}")
    assert answers(f"fd77::{number}")


def test_servers_reach_each_other_and_the_other_host(lab: Lab) -> None:
    for address in ("10.77.0.1", "10.77.0.13", "fd77::13", "fd77::254"):
        assert reaches(lab, "server1", address)


@pytest.mark.parametrize("server", NAMES)
def test_root_logs_in_with_the_labs_key(lab: Lab, server: str) -> None:
    done = lab.ssh(server, "id -un; uname -n; ls -A")

    assert done.stdout == f"root\n{server}\n.ssh\n"
    assert done.stderr == ""


@pytest.mark.parametrize("server", NAMES)
def test_admin_becomes_root_by_sudo_without_password(lab: Lab, server: str) -> None:
    assert lab.ssh(server, "id -un; sudo -n id -un", user="admin").stdout == "admin\nroot\n"


def test_root_logs_in_with_the_password_of_this_lab(lab: Lab) -> None:
    with paramiko.SSHClient() as client:
        client.load_host_keys(str(lab.place.known_hosts))
        client.connect(
            "10.77.0.11", username="root", password=lab.root_password(),
            look_for_keys=False, allow_agent=False, timeout=20, banner_timeout=20, auth_timeout=20,
        )  # fmt: skip
        _, out, _ = client.exec_command("id -u", timeout=20)
        assert out.read() == b"0\n"


def test_every_server_has_its_own_host_key(lab: Lab) -> None:
    keys = {lab.check(name, "cat /etc/ssh/ssh_host_ed25519_key.pub") for name in NAMES}
    assert len(keys) == len(NAMES)


def test_server_3_starts_with_its_adapter_in_a_bridge(lab: Lab) -> None:
    assert "master br0" in lab.check("server3", "ip -o link show eth0")
    assert "10.77.0.13/24" in lab.check("server3", "ip -o addr show br0")


def test_server_2_runs_systemd_and_the_others_do_not(lab: Lab) -> None:
    first = {name: lab.check(name, "cat /proc/1/comm").strip() for name in NAMES}
    assert first == {"server1": "init", "server2": "systemd", "server3": "init"}
    # It waits until the last job of the boot is done. Units of the panel may have failed in another test.
    lab.execute("server2", "systemctl is-system-running --wait")
    failed = lab.check("server2", "systemctl list-units --failed --plain --no-legend | cut -d' ' -f1").split()
    assert [unit for unit in failed if not unit.startswith("vnetpanel")] == []


def test_a_server_sees_nothing_of_this_machine_but_usr(lab: Lab) -> None:
    entries = lab.check("server1", "find /root /home /opt /srv /mnt -mindepth 1 -maxdepth 1 2>/dev/null; :")
    assert set(entries.split()) == {"/root/.ssh", "/home/admin"}
    assert not lab.execute("server1", "grep -q hostfs /proc/mounts").ok
