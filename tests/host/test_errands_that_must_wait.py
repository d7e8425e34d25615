"""Errands under guests whose programs never end, and disks that cannot be written: nobody else waits."""

from __future__ import annotations

from typing import Literal

import pytest

from networks.host.answers import Saved
from networks.host.grammar import IpAdd
from tests.host.test_errands import DONE, eth1, followed, host_of, vz, vz4
from tests.host.vz_server import CTID, Vz, vz_server

__all__ = ["vz", "vz4"]
pytestmark = pytest.mark.netns


@pytest.mark.parametrize("program", ["sleep 77777", "yes"])
def test_a_guest_whose_programs_never_end_keeps_nobody(vz4: Vz, program: str) -> None:
    """What runs inside is its owner's; the transaction's lock is held meanwhile."""
    vz4.create(CTID)
    vz4("start", CTID)
    vz4.commit("one", errands=(IpAdd("4", CTID, "eth0", "10.9.0.5/24"),))
    vzctl = vz4.server.root / "bin/vzctl"
    whole = vzctl.read_text()
    vzctl.write_text(whole.replace("exec env", f'[ "$1" != exec2 ] || exec {program}\nexec env'))
    answer = vz4.server.call("follow", "one", VNP_PATIENCE="1")
    assert answer.code == 75 and "does not come to an end" in answer.answer.saved[0].reason
    vzctl.write_text(whole)
    assert followed(vz4) == [Saved(CTID, "eth0", True)]


@pytest.mark.parametrize(("dialect", "ifname"), [("4", "venet0"), ("7", "venet0"), ("7", "eth0")])
def test_nor_do_those_that_vzctl_runs_inside_for_an_address(dialect: Literal["4", "7"], ifname: str) -> None:
    with vz_server(dialect) as vz:
        vz.create(CTID)
        vz("start", CTID)
        vz.commit("one", errands=(IpAdd(dialect, CTID, ifname, "10.9.0.5/24"),))
        vzctl = vz.server.root / "bin/vzctl"
        whole = vzctl.read_text()
        hangs = 'case "$*" in *--ipadd*) exec sleep 77777 ;; esac\nexec env'
        vzctl.write_text(whole.replace("exec env", hangs))
        answer = vz.server.call("follow", "one", VNP_PATIENCE="1")
        assert answer.code == 75 and "does not come to an end" in answer.answer.saved[0].reason
        vzctl.write_text(whole)
        assert followed(vz) == [Saved(CTID, ifname, True)]


def test_an_interface_is_not_made_while_it_cannot_be_noted_whose_it_is(vz: Vz) -> None:
    """Made all the same it was taken for somebody else's ever after."""
    vz.create(CTID)
    vz.commit("one", errands=(eth1(vz),))
    library = str(vz.server.root / "lib")
    vz.server.run("mount", "--bind", library, library)
    vz.server.run("mount", "-o", "remount,bind,ro", library)
    answer = vz.server.call("follow", "one")
    assert answer.code == 75 and "cannot write" in answer.answer.saved[0].reason
    assert host_of(vz) == ""
    vz.server.run("umount", library)
    assert followed(vz) == [DONE] and host_of(vz)
