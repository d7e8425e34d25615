"""Routes that ip says in other words than it takes back, and those of an EL6 kernel that are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from networks.host.grammar import HostPlan
from tests.host.rig import Server, run
from tests.host.test_moving_the_nic import BACK, commit

pytestmark = pytest.mark.netns

IP = Path(shutil.which("ip") or "/usr/sbin/ip").resolve()
OFF_LINK = "203.0.113.0/24 via 10.77.0.1"
LEARNT = r"ff02::1 via ff02::1 dev eth0  metric 0 \\    cache mtu 1500 advmss 1440 hoplimit 4294967295"


def ip_says(server: Server, *edits: str) -> None:
    """From here on what the server's ip says is edited (by sed), as another version would say it."""
    real, other = server.root / "real-ip", server.root / "other-ip"
    shutil.copy(IP, real)
    words = " ".join(f"-e '{edit}'" for edit in edits)
    other.write_text(f'#!/bin/sh\n{real} "$@" | sed {words}\n')
    other.chmod(0o755)
    run(*server.inside(), "mount", "--bind", str(other), str(IP))


def test_a_locked_time_out_goes_along_and_comes_back(server: Server, move: HostPlan) -> None:
    server.batch(f"route add {OFF_LINK} dev eth0 rto_min 5ms mtu lock 1400")
    before = server.state()
    assert "rto_min lock 5ms" in before
    assert server.apply("back", move).state == "applied", server.log("back")
    assert server.call("abort", "back", check=True).state == "rolledback"
    server.quiet()
    assert server.state() == before
    commit(server, "there", move)
    assert f"{OFF_LINK} dev vn-a mtu lock 1400 rto_min lock 5ms" in server.state()
    commit(server, "away", BACK)
    assert server.state() == before


def test_a_route_in_words_that_ip_may_not_take_back_is_refused(server: Server, move: HostPlan) -> None:
    server.batch(f"route add {OFF_LINK} dev eth0")
    ip_says(server, "s/^203.0.113.0.24 .*/& wormhole 7/")
    shown = server.plan(move)
    assert [note.code for note in shown.answer.refusals] == ["route-wormhole"], shown.raw


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("features 0x10", "route-features"),
        ("features ecn 0x11", "route-0x11"),
        ("features", "route-features"),
        # Before 2025 ip takes one of them only, and has said both since 2023.
        ("features ecn tcp_usec_ts", "route-tcp-usec-ts"),
    ],
)
def test_features_that_ip_may_not_take_back_are_refused(
    server: Server, move: HostPlan, said: str, code: str
) -> None:
    """An older one says the newer ones as a number."""
    server.batch(f"route add {OFF_LINK} dev eth0")
    ip_says(server, f"s/^203.0.113.0.24 .*/& {said} quickack 1/")
    shown = server.plan(move)
    assert [note.code for note in shown.answer.refusals] == [code]


def test_features_that_ip_has_a_word_for_go_along(server: Server, move: HostPlan) -> None:
    server.batch(f"route add {OFF_LINK} dev eth0 features ecn quickack 1")
    before = server.state()
    commit(server, "there", move)
    assert f"{OFF_LINK} dev vn-a features ecn quickack 1" in server.state()
    commit(server, "away", BACK)
    assert server.state() == before


def test_a_newer_word_is_passed_on(server: Server, move: HostPlan) -> None:
    server.batch(f"route add {OFF_LINK} dev eth0")
    ip_says(server, "s/^203.0.113.0.24 .*/& features tcp_usec_ts/")
    shown = server.plan(move)
    assert f"ip route replace {OFF_LINK} features tcp_usec_ts dev vn-a" in [
        c.text for c in shown.answer.commands
    ]


def test_what_an_old_kernel_has_learnt_or_says_for_nothing_is_no_route(
    server: Server, move: HostPlan
) -> None:
    ip_says(server, f"s/^default via fd77::1 .*/& hoplimit 4294967295\\n{LEARNT}/")
    before = server.state()
    assert "ff02::1 via" in before
    commit(server, "there", move)
    assert "default via fd77::1 dev vn-a metric 512" in server.state()
    assert server.plan(move).answer.get("empty") == "yes"
    commit(server, "away", BACK)
    assert server.state() == before


def test_a_route_that_an_old_kernel_was_advertised_is_refused(server: Server, move: HostPlan) -> None:
    ip_says(
        server, "s/^default via fd77::1 dev eth0 .*/default via fe80::1 dev eth0  proto kernel  metric 1024/"
    )
    assert "ra-route" in {note.code for note in server.plan(move).answer.refusals}


@pytest.mark.parametrize("shell", ["dash", "busybox sh", "bash"])
def test_what_ip_cannot_read_keeps_nothing_else_from_coming_back(server: Server, shell: str) -> None:
    """`ip -force -batch` ends at what it cannot read."""
    script = server.script.read_text().rpartition('main "$@"')[0]
    wrong = "ip route replace 203.0.113.0/24 rto_min lock 5ms dev eth0"
    lines = f"ip addr add 10.77.0.77/24 dev eth0\n{wrong}\nip addr add 10.77.0.78/24 dev eth0\n"
    for alone, there in (("", [True, False]), ("yes", [True, True])):
        part = server.root / "part.sh"
        part.write_text(f"{script}\nX_alone={alone}\nrun_commands -force <<'E'\n{lines}E\n")
        run(*server.inside(), "env", *(f"{k}={v}" for k, v in server.environment().items()),
            *shell.split(), str(part), check=False)  # fmt: skip
        state = server.state()
        assert [f" 10.77.0.{n}/24 " in state for n in (77, 78)] == there, (alone, state)
