from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import netns, processes
from lab.definition import server
from lab.errors import LabInUse
from lab.lab import Lab
from lab.leftovers import REGISTER
from lab.place import CHECKOUT, Place
from lab.shell import run
from lab.status import look

pytestmark = pytest.mark.lab

NAMES = ("server1", "server3")
UP = f"""
from lab.definition import server
from lab.lab import Lab

Lab(servers=tuple(map(server, {NAMES}))).up()
"""


@pytest.fixture(scope="module")
def other_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of another checkout on the same machine."""
    one = Lab(Place(tmp_path_factory.mktemp("checkout") / "lab"), servers=tuple(map(server, NAMES)))
    yield one
    one.down(force=True)


@pytest.fixture
def other(other_checkout: Lab) -> Lab:
    """The other lab, up, to be damaged."""
    other_checkout.up()
    return other_checkout


def servers_reached(lab: Lab) -> list[bool]:
    """Whether each server answers one of a few pings from its own lab's panel namespace."""
    ping = [*netns.exec_prefix(lab.place), "ping", "-q", "-c5", "-i0.5", "-W2"]
    return [subprocess.run([*ping, one.address], capture_output=True).returncode == 0 for one in lab.servers]


def boot_id(lab: Lab, server: str) -> str:
    return lab.check(server, "cat /proc/sys/kernel/random/boot_id")


def test_two_labs_live_side_by_side(lab: Lab, other: Lab) -> None:
    assert lab.place.prefix != other.place.prefix
    other.check("server1", "echo other >/etc/lab-test")

    assert not lab.execute("server1", "test -e /etc/lab-test").ok
    assert all(servers_reached(lab) + servers_reached(other))


def test_nothing_of_it_lies_in_the_machines_own_network(other: Lab) -> None:
    links = run(["nsenter", "-t", str(os.getppid()), "-n", "ip", "-o", "link"])
    assert "tap-server" not in links
    assert other.place.prefix not in links


def test_up_leaves_alone_what_runs(other: Lab) -> None:
    before = [boot_id(other, one.name) for one in other.servers]
    other.cable("server3", plugged=False)

    other.up()

    assert [boot_id(other, one.name) for one in other.servers] == before
    assert servers_reached(other) == [True, False]
    other.cable("server3", plugged=True)


def test_it_repairs_a_server_whose_keeper_was_killed(other: Lab) -> None:
    folder = other.place.server("server1")
    other.check("server1", "echo kept >/etc/lab-test; sync")
    for pid in processes.keepers(folder):
        os.kill(pid, signal.SIGKILL)
    assert look(other).state == "half-up"

    other.up()

    assert look(other).state == "up"
    assert servers_reached(other) == [True, True]
    assert other.check("server1", "cat /etc/lab-test") == "kept\n"
    assert len(processes.keepers(folder)) == 1


def test_it_repairs_a_server_whose_kernel_was_killed(other: Lab) -> None:
    processes.kill(processes.kernels(other.place.server("server3")))

    other.up()

    assert servers_reached(other) == [True, True]


@pytest.mark.parametrize("role", ["switch", "panel", "other"])
def test_it_repairs_a_namespace_that_is_gone(other: Lab, role: str) -> None:
    netns.delete(other.place.namespace(role))
    assert look(other).state == "half-up"

    other.up()

    assert look(other).state == "up"
    assert servers_reached(other) == [True, True]


def test_it_survives_a_killed_up(other: Lab) -> None:
    other.down()
    environment = {**os.environ, "VNETPANEL_LAB_STATE": str(other.place.state)}
    argv = [sys.executable, "-c", UP]
    for seconds in (0.5, 1.2, 2.5):
        with subprocess.Popen(argv, cwd=CHECKOUT, env=environment, stderr=subprocess.DEVNULL) as half:
            try:
                half.wait(seconds)
            except subprocess.TimeoutExpired:
                half.kill()

    other.up()

    assert servers_reached(other) == [True, True]


def test_disks_stay_when_they_are_to_be_kept(other: Lab) -> None:
    other.check("server1", "echo kept >/etc/lab-test")

    other.down(keep_disks=True)
    assert look(other).state == "down"
    other.up()

    assert other.check("server1", "cat /etc/lab-test") == "kept\n"


def test_down_is_refused_while_another_process_uses_it(other: Lab) -> None:
    program = "from lab.lab import Lab; held = Lab().use(); print('held', flush=True); input()"
    environment = {**os.environ, "VNETPANEL_LAB_STATE": str(other.place.state)}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=CHECKOUT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as user:  # fmt: skip
        assert user.stdout is not None
        user.stdout.readline()
        with pytest.raises(LabInUse, match=f"process {user.pid}"):
            other.down()
        with pytest.raises(LabInUse):
            other.use(alone=True)
        assert look(other).state == "up"
        user.communicate(b"\n")


def test_down_removes_everything(other: Lab) -> None:
    other.down()

    assert look(other).state == "down"
    assert not [name.name for name in netns.NAMED.glob(f"{other.place.prefix}*")]
    assert not (REGISTER / other.place.prefix).exists()
    for one in other.servers:
        assert not processes.kernels(other.place.server(one.name))
        assert not processes.keepers(other.place.server(one.name))
    other.up()


def test_a_lab_whose_checkout_was_deleted_is_cleaned_up(lab: Lab, other: Lab) -> None:
    other.up()
    folders = [other.place.server(one.name) for one in other.servers]
    shutil.rmtree(other.place.state)

    lab.up()

    assert not any(processes.kernels(folder) or processes.keepers(folder) for folder in folders)
    assert not [name.name for name in netns.NAMED.glob(f"{other.place.prefix}*")]
    other.up()


def test_a_machine_without_what_it_needs_is_told_so(tmp_path: Path) -> None:
    argv = ["unshare", "--user", sys.executable, "-m", "lab", "up"]
    environment = {**os.environ, "VNETPANEL_LAB_STATE": str(tmp_path / "lab")}
    done = subprocess.run(argv, cwd=CHECKOUT, env=environment, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr == "The lab needs root: it makes network namespaces and boots kernels.\n"
