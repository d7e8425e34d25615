"""That vzctl has followed is remembered with as little writing as is safe."""

from __future__ import annotations

import pytest

from networks.host.grammar import Bridge, HostPlan, KeepBridge
from tests.host import rig

pytestmark = pytest.mark.netns
PLAN = HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))


def test_what_was_lost_with_the_power_is_followed_once_more(server: rig.Server) -> None:
    assert server.apply("one", PLAN).state == "committed"
    assert server.call("follow", "one", check=True).state == "agrees"
    remembered = server.root / "lib/followed"
    assert remembered.read_text() == "one\n"
    remembered.write_text("")
    assert server.call("follow", "one", check=True).state == "agrees"
    assert remembered.read_text() == "one\n"


def test_what_is_remembered_already_is_not_written_again(server: rig.Server) -> None:
    """Cut by a power failure it would be forgotten, and errands that are done would be done again."""
    assert server.apply("one", PLAN).state == "committed"
    server.call("follow", "one", check=True)
    remembered = server.root / "lib/followed"
    before = remembered.stat()
    server.call("follow", "one", check=True)
    assert remembered.stat().st_mtime_ns == before.st_mtime_ns


def test_a_full_disk_only_has_it_followed_once_more(server: rig.Server) -> None:
    assert server.apply("one", PLAN).state == "committed"
    remembered = server.root / "lib/followed"
    remembered.unlink(missing_ok=True)
    remembered.mkdir()
    assert server.call("follow", "one", check=True).state == "agrees"
    remembered.rmdir()
    assert server.call("follow", "one", check=True).state == "agrees"
    assert remembered.read_text() == "one\n"


def test_errands_are_not_forgotten_unless_that_is_remembered(server: rig.Server) -> None:
    assert server.apply("one", PLAN).state == "committed"
    lib = server.root / "lib"
    (lib / "followed").unlink(missing_ok=True)
    committed = server.root / "etc/committed"
    committed.write_text(committed.read_text().replace("end\n", "ipadd 4 101 eth0 10.9.0.5/24\nend\n"))
    (lib / "errands").write_text("one finished ipadd 4 101 eth0 10.9.0.5/24\n")
    (lib / "followed.new").mkdir()  # as on a full disk
    assert server.call("follow", "one").code == 75
    assert (lib / "errands").exists()
    (lib / "followed.new").rmdir()
    assert server.call("follow", "one", check=True).state == "agrees"
    assert (lib / "followed").read_text() == "one\n" and not (lib / "errands").exists()
