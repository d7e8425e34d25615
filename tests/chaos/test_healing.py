"""How chaos heals what it did: late enough, whole, and not beside a rollback. Each was wrong once."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaos import faults
from chaos.faults import Faults, Strike, end_again, end_all
from chaos.runs import Chaos
from chaos.verdict import Run
from lab.errors import LabError
from networks.domain.state import RemoveMember, apply_edits
from networks.state_json import load_edits
from tests.host import rig
from tests.host.rig import Server

PROXIES = ("10.77.0.101", "fd77::101")


@pytest.fixture
def server() -> Iterator[Server]:
    with rig.server() as ready:
        # Where the decision's lock is on a server; here in a mount namespace of its own.
        ready.run("mount", "-t", "tmpfs", "tmpfs", "/run")
        yield ready


def drawn(name: str) -> Strike:
    """The strike of that name on the lab's first server, as a run draws it."""
    draws = Faults(cast(Any, None), cast(Any, None), {"server1": "10.77.0.11"})
    return cast(Strike, getattr(draws, name)("server1", 0.0, random.Random(1)))  # noqa: S311


def give_back(server: Server) -> subprocess.Popen[str]:
    """What heals a server whose address or default route was deleted, run there."""
    command = faults.ADDRESS_BACK.replace("ADDRESS", "10.77.0.11").replace("PROXIES", " ".join(PROXIES))
    return subprocess.Popen((*server.inside(), "sh", "-c", command), text=True)


def has(server: Server, device: str = "eth0") -> dict[str, bool]:
    said = server.run("ip", "neigh", "show", "proxy") + server.run("ip", "-6", "neigh", "show", "proxy")
    return {
        "address": f"{device}    inet 10.77.0.11/24" in server.run("ip", "-o", "addr", "show"),
        "route": f"default via 10.77.0.1 dev {device}" in server.run("ip", "route", "show", "default"),
    } | {proxy: f"{proxy} dev {device} proxy" in said for proxy in PROXIES}


@pytest.mark.netns
@pytest.mark.parametrize("bridge", ("", "vn-a"))
def test_everything_that_went_with_an_address_comes_back(server: Server, bridge: str) -> None:
    if bridge:
        server.batch(f"link add {bridge} type bridge\nlink set {bridge} up\nlink set eth0 master {bridge}")
    server.batch("addr flush dev eth0")
    for address in PROXIES:
        server.run("ip", "neigh", "del", "proxy", address, "dev", "eth0", check=False)
    assert not any(has(server).values())
    assert give_back(server).wait(20) == 0
    assert all(has(server, bridge or "eth0").values())


@pytest.mark.netns
def test_what_is_there_is_left_alone(server: Server) -> None:
    give_back(server).wait(20)
    before = server.state()
    assert give_back(server).wait(20) == 0
    assert server.state() == before


@pytest.mark.netns
def test_an_address_is_not_given_back_while_a_transaction_decides(server: Server) -> None:
    server.run("ip", "addr", "del", "10.77.0.11/24", "dev", "eth0")
    server.run("mkdir", "/run/vnetpanel")
    holder = subprocess.Popen(
        (*server.inside(), "flock", "/run/vnetpanel/decide.lock", "sh", "-c", "echo held; read -r _"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout and holder.stdout.readline() == "held\n"
    healing = give_back(server)
    time.sleep(0.5)
    assert healing.poll() is None and not has(server)["address"]
    holder.communicate("\n")
    assert healing.wait(20) == 0 and has(server)["address"]


def test_nothing_is_healed_before_all_have_struck() -> None:
    """A power cut that comes later would undo it, or find a server that is just being healed."""
    told: list[str] = []

    def strike_of(name: str, at_s: float) -> Strike:
        tell = told.append
        return Strike(name, "", at_s, lambda: tell(f"{name} strikes"), lambda: tell(f"{name} healed"))

    strikes = [strike_of("first", 0.0), strike_of("second", 0.3)]
    for strike in strikes:
        strike.start()
    end_all(strikes)
    assert told == ["first strikes", "second strikes", "first healed", "second healed"]


def test_what_was_never_started_is_not_healed() -> None:
    told: list[str] = []
    end_all([Strike("one", "", 0.0, lambda: None, lambda: told.append("healed"))])
    assert not told


def test_a_server_that_is_booting_is_healed_when_it_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults.time, "sleep", lambda s: None)
    tries = iter((LabError("no console"), LabError("no console"), None))

    def heal() -> None:
        if error := next(tries):
            raise error

    Strike("one", "server1", 0.0, lambda: None, heal).end()
    assert next(tries, "all tried") == "all tried"


def test_a_server_that_does_not_come_up_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "BOOTED_S", -1)

    def heal() -> None:
        raise LabError("no console")

    with pytest.raises(LabError):
        Strike("one", "server1", 0.0, lambda: None, heal).end()


def test_a_route_and_an_address_are_healed_again_when_the_change_has_ended() -> None:
    """A rollback goes back to what was there when the plan came, so to a server without them."""
    healed: list[str] = []
    strikes = [drawn(name) for name in ("_route", "_address", "_trunk", "_clock", "_container")]
    for strike in strikes:
        strike.heal = lambda name=strike.name: healed.append(name)  # type: ignore[misc]
    end_again(strikes)
    assert healed == ["default route deleted", "address deleted"]


@pytest.mark.django_db
def test_the_second_panel_takes_out_what_only_it_has_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one shows it and never moves it; it would stay there for good."""
    from tests.domain.scheme import DESIRED, interface

    alone = interface(2, "204")
    without = apply_edits(DESIRED, [RemoveMember(alone)])
    monkeypatch.setattr("chaos.runs.head", lambda: SimpleNamespace(state=without))
    asked: list[str] = []
    chaos = Chaos(cast(Any, None), cast(Any, None), 1)
    chaos.rival = cast(Any, SimpleNamespace(change=lambda edits: asked.append(edits) or "done"))
    chaos.rival_has = DESIRED
    chaos._rival_takes_back(Run(1, 0), 2)
    assert [load_edits(edits) for edits in asked] == [(RemoveMember(alone),)]
    chaos.rival_has = without
    chaos._rival_takes_back(Run(2, 0), 2)
    assert len(asked) == 1
