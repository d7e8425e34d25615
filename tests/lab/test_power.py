from __future__ import annotations

import time
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.lab import Lab
from lab.status import look
from tests.lab.pings import answers, within

pytestmark = pytest.mark.lab

SERVERS = ["server1", "server2", "server3"]


def boot_id(lab: Lab, server: str) -> str:
    return lab.check(server, "cat /proc/sys/kernel/random/boot_id")


def host_key(lab: Lab, server: str) -> str:
    return lab.check(server, "cat /etc/ssh/ssh_host_ed25519_key.pub")


@pytest.mark.parametrize("server", SERVERS)
def test_a_reboot_keeps_the_disk(lab: Lab, server: str) -> None:
    lab.check(server, "echo kept >/etc/lab-test")  # not synced: an orderly shutdown writes it
    before, key = boot_id(lab, server), host_key(lab, server)

    lab.reboot(server)

    assert boot_id(lab, server) != before
    assert host_key(lab, server) == key
    assert lab.check(server, "cat /etc/lab-test; rm /etc/lab-test; sync") == "kept\n"


@pytest.mark.parametrize("server", SERVERS)
def test_a_power_cut_keeps_what_was_synced(lab: Lab, server: str) -> None:
    lab.check(server, "echo kept >/etc/lab-test; sync")
    before = boot_id(lab, server)

    lab.powercut(server)

    assert boot_id(lab, server) != before
    assert lab.check(server, "cat /etc/lab-test; rm /etc/lab-test; sync") == "kept\n"
    assert lab.ssh(server, "uname -n").stdout == f"{server}\n"


def test_a_power_cut_loses_what_was_not_written(lab: Lab) -> None:
    lab.check("server1", "sync; echo lost >/etc/lab-test")

    lab.powercut("server1")

    assert not lab.execute("server1", "test -s /etc/lab-test").ok
    lab.check("server1", "rm -f /etc/lab-test; sync")


def test_no_command_of_a_server_runs_on_the_machine_when_its_power_is_cut(lab: Lab, tmp_path: Path) -> None:
    """Found by chaos: a command about to start in the server started beside it, and held its cable."""
    # The server has no such folder: who can write there is on this machine.
    escaped = tmp_path / "escaped"
    often = f"setsid sh -c 'while :; do touch {escaped}; done' >/dev/null 2>&1 &"
    for _ in range(4):
        lab.check("server1", f"for n in 1 2 3 4 5 6 7 8; do {often} done")
        time.sleep(1)
        assert not escaped.exists()
        lab.powercut("server1")
        assert not escaped.exists()


@pytest.mark.parametrize("server", ["server1", "server2"])
def test_a_reboot_typed_inside_comes_back(lab: Lab, server: str) -> None:
    before = boot_id(lab, server)
    lab.ssh(server, "reboot")

    def came_back() -> bool:
        try:
            return lab.is_ready(server) and boot_id(lab, server) != before
        except LabError:
            return False  # caught in the act of going down

    assert within(60, came_back)


def test_a_renewed_server_is_as_new_but_known(lab: Lab) -> None:
    key = host_key(lab, "server1")
    lab.check("server1", "echo used >/etc/lab-test; vzctl set 103 --onboot no --save; sync")
    lab.trunk("server1", 100, carried=False)
    lab.cable("server1", plugged=False)

    lab.renew("server1")

    assert host_key(lab, "server1") == key
    assert not lab.execute("server1", "test -e /etc/lab-test").ok
    assert lab.check("server1", "vzlist -H -o ctid,status").count("running") == 3
    assert look(lab).untrunked == []
    assert answers("10.77.0.11")


def test_a_server_may_stay_off(lab: Lab) -> None:
    lab.powercut("server1", back=False)

    assert lab.state("server1") == "off"
    assert not answers("10.77.0.11")

    lab.power_on("server1")
    assert answers("10.77.0.11")
