"""The benchmark's servers: there while they are wanted, and gone without a trace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.farm import FarmInUse, farm, run
from bench.meter import Group, NoControlGroups
from tests.sshd import require_sshd

pytestmark = pytest.mark.netns


@pytest.fixture
def groups() -> None:
    require_sshd()
    try:
        Group(f"vbt{os.getpid():x}-try").remove()
    except NoControlGroups as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


def test_servers_answer_over_ssh_and_nothing_is_left_of_them(groups: None, tmp_path: Path) -> None:
    before = sorted(Path("/etc").iterdir())
    name = f"vbt{os.getpid():x}"
    with farm(2, tmp_path, name) as servers:
        ssh = (
            "ssh",
            "-i",
            str(servers.key),
            "-o",
            f"UserKnownHostsFile={tmp_path}/known_hosts",
            "-o",
            "BatchMode=yes",
        )
        told = run(*servers.inside, *ssh, servers.address(1), "vzlist; touch /etc/mine; ls /sys/class/net")
        assert told.split() == ["101", "running", "eth0", "eth1", "lo", "veth101.0"]
        assert servers.connections_taken(1) >= 1 and servers.servers.cpu_s() > 0
        with pytest.raises(FarmInUse), farm(1, tmp_path, name):
            raise AssertionError("a second one of the same names would have removed these")
        assert servers.links(0) == {"lo": "", "eth0": "", "eth1": "", "veth101.0": ""}
    assert name not in run("ip", "netns", "list")
    assert sorted(Path("/etc").iterdir()) == before


def test_slow_servers_take_half_a_second_longer_whatever_they_are_asked(groups: None, tmp_path: Path) -> None:
    with farm(1, tmp_path, f"vbs{os.getpid():x}") as servers:
        hosts = f"UserKnownHostsFile={tmp_path}/known_hosts"
        ssh = ("ssh", "-i", str(servers.key), "-o", hosts, "-o", "BatchMode=yes", servers.address(0))
        # Root's shell here: how long it lives, without what connecting takes on a busy machine.
        asked = "read now rest </proc/uptime; set -- $(cat /proc/$$/stat); echo $now $(getconf CLK_TCK) ${22}"

        def once() -> float:
            now, ticks, started = map(float, run(*servers.inside, *ssh, asked).split())
            return now - started / ticks

        def took() -> float:
            return min(once() for _ in range(3))

        assert took() < 0.45
        servers.answers("late")
        assert took() > 0.48
        servers.answers("at once")
        assert took() < 0.45


def test_recorded_servers_say_again_what_a_look_found_under_its_own_nonce(
    groups: None, tmp_path: Path
) -> None:
    with farm(1, tmp_path, f"vbr{os.getpid():x}") as servers:
        hosts = f"UserKnownHostsFile={tmp_path}/known_hosts"
        ssh = ("ssh", "-i", str(servers.key), "-o", hosts, "-o", "BatchMode=yes", servers.address(0))
        probe = 'echo "$1 $(cat /proc/sys/kernel/random/uuid)"'

        def look(nonce: str) -> list[str]:
            return run(*servers.inside, *ssh, f"sh -s {nonce}", stdin=probe).split()

        assert look("aaaa")[1] != look("bbbb")[1]
        servers.answers("late and recorded")
        first, second = look("cccc"), look("dddd")
        assert (first[0], second[0]) == ("cccc", "dddd") and first[1] == second[1]
        assert run(*servers.inside, *ssh, "echo other") == "other\n"
        servers.answers("at once")
        assert look("eeee")[1] != first[1]
