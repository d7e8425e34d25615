"""What is done once to containers themselves: after the commit, by vzctl, whatever vzctl says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from networks.host.answers import Saved
from networks.host.grammar import Errand, HostPlan, IpAdd, IpDel, NetifAdd, NetifDel, Place, Port
from tests.host.vz_server import CTID, Vz, vz_server

pytestmark = pytest.mark.netns
SHELLS = (("dash",), ("busybox", "sh"), ("bash", "--posix"))
DONE = Saved(CTID, "eth1", True)


@pytest.fixture(params=["4", "7"])
def vz(request: pytest.FixtureRequest) -> Iterator[Vz]:
    with vz_server(request.param) as ready:
        yield ready


@pytest.fixture
def vz4() -> Iterator[Vz]:
    with vz_server("4") as ready:
        yield ready


def eth1(vz: Vz, bridge: str = "vn-a", mac: str = "") -> NetifAdd:
    host = f"veth{CTID}.1" if vz.dialect == "4" else ""
    return NetifAdd(vz.dialect, CTID, "eth1", mac, host, bridge)


def host_of(vz: Vz, ifname: str = "eth1") -> str:
    """The host side that the conf names for an interface; "" if it has no such interface."""
    for entry in vz.netif(CTID).split('"')[1].split(";"):
        words = dict(word.split("=", 1) for word in entry.split(",") if "=" in word)
        if words.get("ifname") == ifname:
            return words["host_ifname"]
    return ""


def inside(vz: Vz, ifname: str = "eth1") -> str:
    return vz("exec", CTID, f"ip -o addr show dev {ifname}", check=False).stdout


def is_link(vz: Vz, name: str) -> bool:
    return f" {name}@" in vz.server.run("ip", "-o", "link") or f" {name}:" in vz.server.run(
        "ip", "-o", "link"
    )


def followed(vz: Vz, txid: str = "-") -> list[Saved]:
    return list(vz.server.call("follow", txid, check=True).answer.saved)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("dialect", ["4", "7"])
def test_an_interface_is_made_addressed_and_removed(dialect: str, shell: tuple[str, ...]) -> None:
    """In a running container, in every shell; twice followed is done once."""
    with vz_server("4" if dialect == "4" else "7", shell) as vz:
        vz.create(CTID)
        vz("start", CTID)
        address = IpAdd(vz.dialect, CTID, "eth1", "10.9.0.5/24")
        vz.commit("one", errands=(eth1(vz), address))
        assert host_of(vz) == "" and not inside(vz), "nothing is done before the commit is followed"
        for _ in range(2):
            assert followed(vz, "one") == [DONE, DONE]
        host = host_of(vz)
        assert vz.master(host) == "vn-a" and "inet 10.9.0.5/24" in inside(vz)
        assert vz.server.run("ip", "-n", f"{vz.prefix}{CTID}", "link", "show", "eth1").count("UP") >= 1
        vz.commit("two", ports=(Port(host),), errands=(NetifDel(vz.dialect, CTID, "eth1"),))
        assert followed(vz, "two") == [DONE]
        assert host_of(vz) == "" and not is_link(vz, host)
        vz("restart", CTID)
        assert not inside(vz)


def test_in_a_stopped_container_it_is_there_at_the_next_start(vz: Vz) -> None:
    vz.create(CTID)
    vz.commit("one", errands=(eth1(vz, mac="00:18:51:00:00:05"),))
    assert followed(vz) == [DONE]
    host = host_of(vz)
    assert "mac=00:18:51:00:00:05" in vz.netif(CTID).lower()
    vz("start", CTID)
    assert vz.master(host) == "vn-a"
    vz("stop", CTID)
    vz.commit("two", errands=(NetifDel(vz.dialect, CTID, "eth1"),))
    assert followed(vz) == [DONE] and host_of(vz) == ""


def test_without_a_network_it_is_in_no_bridge(vz: Vz) -> None:
    vz.create(CTID)
    vz("start", CTID)
    vz.commit("one", errands=(eth1(vz, bridge=""),))
    assert followed(vz) == [DONE]
    assert host_of(vz) and vz.master(host_of(vz)) == ""
    vz("restart", CTID)
    assert vz.master(host_of(vz)) == ""


def test_an_interface_that_was_there_before_is_not_overwritten(vz: Vz) -> None:
    """vzctl 4 would take another MAC and bridge without a word."""
    vz.create(CTID)
    vz("set", CTID, "--netif_add", "eth1", "--save")
    before = vz.netif(CTID)
    vz.commit("one", errands=(eth1(vz, mac="00:18:51:00:00:05"),))
    answer = vz.server.call("follow", "one")
    assert answer.code == 75 and "exists already" in answer.answer.saved[0].reason
    assert vz.netif(CTID) == before


def test_one_that_a_cut_connection_left_is_taken_as_ours(vz: Vz) -> None:
    """Killed after vzctl had done it: noted as begun, so the next try ends it."""
    vz.create(CTID)
    vz("start", CTID)
    errand = eth1(vz)
    vz.commit("one", errands=(errand,))
    vz("set", CTID, "--netif_add", "eth1", "--save")
    (vz.server.root / "lib/errands").write_text(f"one begun {' '.join(errand.words())}\n")
    assert followed(vz) == [DONE]
    assert vz.master(host_of(vz)) == "vn-a" and vz.netif(CTID).count("vn-a") == 1


def test_what_was_done_is_not_done_again_while_another_line_waits(vz: Vz) -> None:
    """Somebody removes the new interface by hand: that stands, though the commit is repeated."""
    vz.create(CTID)
    taken = NetifAdd(vz.dialect, CTID, "eth0", bridge="vn-a")
    vz.commit("one", errands=(eth1(vz), taken))
    answer = vz.server.call("follow", "one")
    assert [line.agrees for line in answer.answer.saved] == [True, False]
    vz("set", CTID, "--netif_del", "eth1", "--save")
    assert vz.server.call("follow", "one").code == 75 and host_of(vz) == ""
    # Carried into the next commit is only what is open.
    vz.commit("two")
    assert "netif_add" in vz.server.committed and f" {CTID} eth1" not in vz.server.committed


def test_of_a_container_that_is_gone_nothing_is_made(vz: Vz) -> None:
    vz.commit("one", errands=(NetifAdd(vz.dialect, "777", "eth1", bridge="vn-a"),))
    answer = vz.server.call("follow", "one", check=True).answer
    assert answer.saved == () and "777 is not on this server" in answer.warnings[0].text
    assert not (vz.conf / "777.conf").exists()


@pytest.mark.parametrize(("bridge", "begun"), [("", False), ("vn-b", False), ("", True)])
def test_an_interface_still_to_be_made_is_made_where_a_newer_plan_has_it(
    vz: Vz, bridge: str, begun: bool
) -> None:
    """It left the network, or moved to another, before vzctl had made it; or while it was at it."""
    vz.create(CTID)
    vz("start", CTID)
    vz.commit("one", errands=(eth1(vz),))
    if begun:
        vz("set", CTID, "--netif_add", "eth1", "--save")
        (vz.server.root / "lib/errands").write_text(f"one begun {' '.join(eth1(vz).words())}\n")
    vz.commit("two", Place(vz.dialect, CTID, "eth1", bridge))
    assert followed(vz) == [DONE]
    assert host_of(vz) and vz.master(host_of(vz)) == bridge
    assert "vn-a" not in vz.netif(CTID)


def test_what_is_removed_needs_nothing_else_any_more(vz: Vz) -> None:
    """Lines of a former commit about an interface that this one removes are dropped."""
    vz.create(CTID)
    vz.commit("one", errands=(eth1(vz), IpAdd(vz.dialect, CTID, "eth1", "10.9.0.5/24")))
    vz.commit("two", errands=(NetifDel(vz.dialect, CTID, "eth1"),))
    lines = [line for line in vz.server.committed.splitlines() if " eth1" in line]
    assert lines == [f"netif_del {vz.dialect} {CTID} eth1"]
    assert followed(vz) == [DONE]


def test_a_host_routed_interface_is_never_removed(vz: Vz) -> None:
    vz.create(CTID)
    vz("set", CTID, "--ipadd", "10.77.0.150", "--save")
    if vz.dialect == "7":
        vz("start", CTID)  # its NETIF entry comes with the first start
    before = vz.netif(CTID)
    vz.commit("one", errands=(NetifDel(vz.dialect, CTID, "venet0"),))
    vz.server.call("follow", "one")
    assert vz.netif(CTID) == before


@pytest.mark.parametrize("is_running", [True, False])
def test_host_routed_addresses_come_and_go(vz: Vz, is_running: bool) -> None:
    vz.create(CTID)
    if is_running:
        vz("start", CTID)
    conf = vz.conf / f"{CTID}.conf"
    for address in ("10.77.0.150/32", "fd77::150/128"):
        host = address.partition("/")[0]
        vz.commit(f"add-{len(host)}", errands=(IpAdd(vz.dialect, CTID, "venet0", address),))
        assert followed(vz) == [Saved(CTID, "venet0", True)] and host in conf.read_text()
        assert not is_running or host in inside(vz, "venet0")
        vz.commit(f"del-{len(host)}", errands=(IpDel(vz.dialect, CTID, "venet0", address),))
        assert followed(vz) == [Saved(CTID, "venet0", True)]
        assert host not in re.sub(r"NETIF=.*", "", conf.read_text())
        assert not is_running or host not in inside(vz, "venet0")


def test_addresses_of_a_bridged_interface_come_and_go() -> None:
    """vzctl 7 keeps them, of a stopped container as well."""
    with vz_server("7") as vz:
        vz.create(CTID)
        four, six = "10.9.0.5/24", "fd99::5/64"
        vz.commit("one", errands=(IpAdd("7", CTID, "eth0", four), IpAdd("7", CTID, "eth0", six)))
        assert len(followed(vz)) == 2
        assert "ip=10.9.0.5/255.255.255.0" in vz.netif(CTID) and "ip6=fd99::5/64" in vz.netif(CTID)
        vz("start", CTID)
        assert "inet 10.9.0.5/24" in inside(vz, "eth0") and "inet6 fd99::5/64" in inside(vz, "eth0")
        vz.commit("two", errands=(IpDel("7", CTID, "eth0", six), IpDel("7", CTID, "eth0", four)))
        assert len(followed(vz)) == 2
        assert "10.9.0.5" not in vz.netif(CTID) and "fd99" not in inside(vz, "eth0")


def test_on_vzctl_4_an_address_waits_for_a_container_that_has_stopped(vz4: Vz) -> None:
    vz4.create(CTID)
    vz4.commit("one", errands=(IpAdd("4", CTID, "eth0", "10.9.0.5/24"),))
    answer = vz4.server.call("follow", "one")
    assert answer.code == 75 and "not running" in answer.answer.saved[0].reason
    vz4("start", CTID)
    done = vz4.server.call("follow", "one", check=True).answer
    assert done.saved == (Saved(CTID, "eth0", True),) and "inet 10.9.0.5/24" in inside(vz4, "eth0")
    # The stand-in's guests have no configuration of their own, whatever their server has.
    assert [note.code for note in done.warnings] == ["guest-keep"]
    assert "until the container restarts: its network configuration is neither" in done.warnings[0].text
    vz4.commit("two", errands=(IpDel("4", CTID, "eth0", "10.9.0.5/24"),))
    assert followed(vz4) == [Saved(CTID, "eth0", True)] and "10.9.0.5" not in inside(vz4, "eth0")


def test_on_vzctl_4_an_address_is_kept_where_the_guest_is_understood(vz4: Vz) -> None:
    guest = vz4.server.root / "guest"
    interfaces = guest / "etc/network/interfaces"
    interfaces.parent.mkdir(parents=True)
    interfaces.write_text("auto lo\niface lo inet loopback\n")
    vz4.server.env["VNP_GUEST"] = str(guest)
    vz4.create(CTID)
    vz4("start", CTID)
    for verb, kept in ((IpAdd, True), (IpDel, False)):
        vz4.commit(verb.__name__, errands=(verb("4", CTID, "eth0", "10.9.0.5/24"),))
        done = vz4.server.call("follow", "-", check=True).answer
        assert done.warnings == () and ("10.9.0.5/24" in inside(vz4, "eth0")) is kept
        assert ("ip addr add 10.9.0.5/24 dev eth0" in interfaces.read_text()) is kept


def test_on_vzctl_4_an_address_that_is_to_go_waits_for_a_container_that_has_stopped(vz4: Vz) -> None:
    """Its own configuration would give it that address again at its next start."""
    guest = vz4.server.root / "guest"
    interfaces = guest / "etc/network/interfaces"
    interfaces.parent.mkdir(parents=True)
    interfaces.write_text("auto lo\niface lo inet loopback\n")
    vz4.server.env["VNP_GUEST"] = str(guest)
    vz4.create(CTID)
    vz4("start", CTID)
    vz4.commit("one", errands=(IpAdd("4", CTID, "eth0", "10.9.0.5/24"),))
    assert followed(vz4) == [Saved(CTID, "eth0", True)] and "10.9.0.5" in interfaces.read_text()
    vz4("stop", CTID)
    vz4.commit("two", errands=(IpDel("4", CTID, "eth0", "10.9.0.5/24"),))
    answer = vz4.server.call("follow", "two")
    assert answer.code == 75 and "not running" in answer.answer.saved[0].reason
    assert "10.9.0.5" in interfaces.read_text()
    vz4("start", CTID)
    assert followed(vz4) == [Saved(CTID, "eth0", True)] and "10.9.0.5" not in interfaces.read_text()


@pytest.mark.parametrize("interface", ["eth0", "eth7"])
def test_on_vzctl_4_a_guest_that_could_not_be_asked_is_not_taken_to_have_no_address(
    vz4: Vz, interface: str
) -> None:
    """Where the guest itself says that there is no such interface, there is nothing to take away."""
    vz4.create(CTID)
    vz4("start", CTID)
    vz4.commit("one", errands=(IpDel("4", CTID, interface, "10.9.0.5/24"),))
    vzctl = vz4.server.root / "bin/vzctl"
    whole = vzctl.read_text()
    vzctl.write_text(whole.replace("exec env", '[ "$1" != exec2 ] || exit 8\nexec env'))
    assert vz4.server.call("follow", "one").code == 75
    vzctl.write_text(whole)
    assert followed(vz4) == [Saved(CTID, interface, True)]


@pytest.mark.parametrize("verb", [IpAdd, IpDel])
def test_on_vzctl_4_an_interface_that_is_called_otherwise_inside_is_named_with_what_to_do(
    vz4: Vz, verb: type[IpAdd | IpDel]
) -> None:
    """Whoever is root in a container may rename it. An address that is to go is not taken for gone."""
    vz4.create(CTID)
    vz4("start", CTID)
    rename = "ip link set dev {0} down && ip link set dev {0} name {1}"
    vz4("exec", CTID, rename.format("eth0", "wan") + " && ip addr add 10.9.0.5/24 dev wan")
    vz4.commit("one", errands=(verb("4", CTID, "eth0", "10.9.0.5/24"),))
    answer = vz4.server.call("follow", "one")
    assert answer.code == 75 and "10.9.0.5" in inside(vz4, "wan")
    assert f"inside container {CTID} nothing is called eth0 any more" in answer.answer.saved[0].reason
    vz4("exec", CTID, rename.format("wan", "eth0"))
    assert followed(vz4) == [Saved(CTID, "eth0", True)]
    assert ("10.9.0.5" in inside(vz4, "eth0")) is (verb is IpAdd)


def test_a_first_interface_under_a_foreign_script_waits_for_the_container_to_stop(vz4: Vz) -> None:
    """vznetaddbr reads the conf before vzctl has saved it, and fails: exit code 130, nothing saved."""
    vz4("create", CTID, "--ostemplate", "lab")
    vz4.containers.append(CTID)
    vz4("start", CTID)
    script = vz4.root / "usr/sbin/vznetaddbr"
    (vz4.root / "etc/vz/vznet.conf").write_text(f'EXTERNAL_SCRIPT="{script}"\n')
    vz4.commit("one", errands=(NetifAdd("4", CTID, "eth0", "", f"veth{CTID}.0", "vn-a"),))
    answer = vz4.server.call("follow", "one")
    assert answer.code == 75 and "stop the container" in answer.answer.saved[0].reason
    vz4("stop", CTID, "--fast")
    assert followed(vz4) == [Saved(CTID, "eth0", True)] and vz4.saved(CTID) == "vn-a"


@pytest.mark.parametrize(
    ("errand", "command"),
    [
        (NetifAdd("4", "102", "eth1", "", "veth102.1", "vn-a"),
         "set 102 --netif_add eth1,,veth102.1,,vn-a --save"),
        (NetifAdd("4", "102", "eth1", "00:18:51:00:00:05", "veth102.1"),
         "set 102 --netif_add eth1,00:18:51:00:00:05,veth102.1,,vn-none --save"),
        (NetifAdd("7", "301", "eth1", "", "", "vn-a"),
         "set 301 --netif_add eth1 --network vn-a --nettype bridge --save"),
        (NetifAdd("7", "301", "eth1", "00:18:51:00:00:05"),
         "set 301 --netif_add eth1 --mac 00:18:51:00:00:05 --save"),
        (NetifDel("4", "102", "eth1"), "set 102 --netif_del eth1 --save"),
        (IpAdd("7", "301", "eth0", "10.9.0.5/24"), "set 301 --ifname eth0 --ipadd 10.9.0.5/24 --save"),
        (IpDel("7", "301", "eth0", "10.9.0.5/24"), "set 301 --ifname eth0 --ipdel 10.9.0.5 --save"),
        (IpAdd("4", "102", "venet0", "10.77.0.5/32"), "set 102 --ipadd 10.77.0.5 --save"),
        (IpAdd("4", "102", "eth0", "10.9.0.5/24"),
         "exec2 102 'ip addr add 10.9.0.5/24 dev eth0 && ip link set dev eth0 up'"),
    ],
)  # fmt: skip
def test_the_review_shows_the_exact_commands(vz4: Vz, errand: Errand, command: str) -> None:
    shown = vz4.server.plan(HostPlan(errands=(errand,)))
    assert [c.text for c in shown.answer.commands if c.phase == "follow"] == [f"vzctl {command}"]
    assert shown.answer.get("path") == "short"
