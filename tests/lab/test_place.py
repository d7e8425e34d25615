from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import cli, requirements
from lab.definition import SERVERS
from lab.errors import LabUnavailable
from lab.keeper import Keeper
from lab.place import Place, default_place, spare_places


def test_names_differ_between_checkouts_and_fit_the_kernel() -> None:
    one, other = Place(Path("/a/var/lab")), Place(Path("/b/var/lab"))

    assert one.prefix != other.prefix
    assert all(len(one.namespace(role)) <= 15 for role in ("switch", "panel", "other"))
    assert all(len(server.tap) <= 15 for server in SERVERS)


def test_it_refuses_a_path_that_a_kernel_command_line_cannot_carry() -> None:
    with pytest.raises(LabUnavailable, match="cannot live under"):
        Place(Path("/home/somebody/my checkout/var/lab"))


def test_the_command_line_says_so_in_that_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VNETPANEL_LAB_STATE", "/home/somebody/my checkout/var/lab")

    assert cli.perform(argparse.Namespace(verb="status", as_json=False)) == 1
    assert capsys.readouterr().err.startswith("The lab cannot live under /home/somebody/my checkout")


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(LabUnavailable, match="needs root"):
        requirements.check_machine()


def test_without_user_mode_linux_it_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(requirements, "_PATH", str(tmp_path))

    with pytest.raises(LabUnavailable, match=r"`linux\.uml`.*user-mode-linux"):
        requirements.check_machine()


@pytest.mark.parametrize(
    ("free", "flags", "in_memory"), [(10_000, 0, True), (1, 0, False), (10_000, os.ST_NOEXEC, False)]
)
def test_a_kernels_memory_is_where_there_is_room_and_programs_may_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, flags: int, in_memory: bool
) -> None:
    (tmp_path / "keeper.json").write_text(json.dumps({"argv": [], "memory_mb": 100, "preload": ""}))
    shared = SimpleNamespace(f_bavail=free, f_frsize=1 << 20, f_flag=flags)
    monkeypatch.setattr(os, "statvfs", lambda path: shared)

    chosen = Keeper(tmp_path)._memory_folder()

    assert chosen == ("/dev/shm" if in_memory else str(tmp_path))


def test_addresses_names_and_macs_are_unique() -> None:
    containers = [container for server in SERVERS for container in server.containers]

    assert len({container.ctid for container in containers}) == len(containers) == 11
    for words in (
        [server.mac for server in SERVERS],
        [server.address for server in SERVERS],
        [a for c in containers for a in (*c.host_routed, *c.inner_bridge)]
        + [a for c in containers for i in c.bridged for a in i.addresses],
    ):
        assert len(set(words)) == len(words)


def test_a_checkout_has_three_labs_that_never_meet() -> None:
    places = (default_place(), *spare_places())

    assert len({place.prefix for place in places}) == len({place.state for place in places}) == 3
