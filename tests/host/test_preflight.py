"""What cannot be done safely is refused before anything is touched, with reason and remedy."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from networks.host.grammar import (
    Adopt,
    Bridge,
    HostPlan,
    KeepBridge,
    KeepVlan,
    Port,
    RemoveBridge,
    RemoveVlan,
    Step,
)
from tests.host.rig import Server, run

pytestmark = pytest.mark.netns


def lines(text: str) -> Callable[[Server], None]:
    return lambda server: server.batch(text)


def uplinks(server: Server) -> None:
    server.batch("link add eth1 type veth peer name far1\nlink set eth1 up\nlink set far1 up")


def foreign_bridge(server: Server) -> None:
    server.batch("link add br0 type bridge\nlink set eth0 master br0")


def stacked(server: Server, *vlans: str) -> None:
    """Links that the script takes for VLAN adapters: not every machine of these tests can make those."""
    words = [vlan.split() for vlan in vlans]
    server.batch("".join(f"link add {name} type veth peer name p-{name}\n" for name, _ in words))
    config = server.root / "vlans"
    rows = (f"{name:<15}| {number}  | {base}\n" for number, (name, base) in enumerate(words, 5))
    config.write_text(
        f"VLAN Dev name\t | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n{''.join(rows)}"
    )
    text = server.script.read_text()
    assert "/proc/net/vlan/config" in text
    server.script.write_text(text.replace("/proc/net/vlan/config", str(config)))


def dynamic(address: str) -> Callable[[Server], None]:
    return lines(f"addr add {address} dev eth0 valid_lft 3600 preferred_lft 3600")


def second(text: str) -> Callable[[Server], None]:
    """Another adapter, eth1, and what is said of it."""

    def arrange(server: Server) -> None:
        uplinks(server)
        server.batch(text)

    return arrange


def port_of_others(setting: str) -> Callable[[Server], None]:
    """A container interface in a bridge of others, set to something there."""

    def arrange(server: Server) -> None:
        server.batch(
            "link add vn-c type bridge\nlink add br7 type bridge\nlink add c7 type veth peer name guest7"
        )
        server.batch("link set c7 master br7")
        file, value = setting.split("=")
        server.run("sh", "-c", f"echo {value} >/sys/class/net/c7/brport/{file}")

    return arrange


def part_of(server: Server, name: str) -> None:
    """The script takes it for a part of a team: not every machine of these tests has such a thing."""
    (server.root / f"master-of-{name}").write_text("DEVTYPE=team\nINTERFACE=team0\nIFINDEX=77\n")
    text = server.script.read_text()
    asked = '"/sys/class/net/" dev "/master/uevent"'
    assert asked in text
    server.script.write_text(text.replace(asked, f'"{server.root}/master-of-" dev'))


def second_part(server: Server) -> None:
    uplinks(server)
    part_of(server, "eth1")


def guest_part(server: Server) -> None:
    server.batch("link add vn-c type bridge\nlink add c7 type veth peer name guest7")
    part_of(server, "c7")


def vlan_part(server: Server) -> None:
    stacked(server, "eth0.100 eth0")
    part_of(server, "eth0.100")


def bridge_part(server: Server) -> None:
    """Its layer 3 would come to an adapter that is in no VRF."""
    server.apply("there", HostPlan((MOVE,), (KeepBridge("vn-a", "eth0"),)))
    server.confirm("there")
    server.quiet()
    part_of(server, "vn-a")


MOVE = Bridge("vn-a", "eth0")
REFUSED: dict[str, tuple[Callable[[Server], None], Step]] = {
    "dhcp": (dynamic("10.77.0.99/24"), MOVE),
    "slaac": (dynamic("fd77::99/64"), MOVE),
    "ra-route": (lines("route add fd66::/64 via fd77::1 dev eth0 proto ra"), MOVE),
    "route-nexthop": (
        lines("route add 10.9.0.0/16 nexthop via 10.77.0.1 dev eth0 nexthop via 10.77.0.2 dev eth0"),
        MOVE,
    ),
    "dhcp, and nothing else": (
        second("addr add 10.55.0.2/24 dev eth1 valid_lft 3600 preferred_lft 3600"),
        Bridge("vn-b", "eth1"),
    ),
    "slaac, and nothing else": (
        second("addr add fd55::2/64 dev eth1 valid_lft 3600 preferred_lft 3600 nodad"),
        Bridge("vn-b", "eth1"),
    ),
    "route-twice": (lines("route append default via 10.77.0.2 dev eth0"), MOVE),
    "route-twice, elsewhere": (
        second("addr add 10.55.0.2/24 dev eth1\nroute prepend default via 10.55.0.1 dev eth1"),
        MOVE,
    ),
    "route-twice, of IPv6": (
        second("route add fd66::/64 dev eth1 metric 100\nroute append fd66::/64 dev eth0 metric 100"),
        MOVE,
    ),
    "route-multicast": (lines("route add multicast 239.1.0.0/16 dev eth0"), MOVE),
    "route-local": (lines("route add local 198.18.0.0/24 dev eth0"), MOVE),
    "same-subnet": (second("addr add 10.77.0.21/24 dev eth1"), MOVE),
    "link-local": (lines("addr add fe80::1/64 dev eth0 nodad"), MOVE),
    "port-settings": (port_of_others("isolated=1"), Port("c7", "vn-c")),
    "port-settings, that sends back": (port_of_others("hairpin_mode=1"), Port("c7", "vn-c")),
    "port-settings, that learns nothing": (port_of_others("learning=0"), Port("c7", "vn-c")),
    "part-of-another": (second_part, Bridge("vn-b", "eth1")),
    "part-of-another, with the server's address": (lambda server: part_of(server, "eth0"), MOVE),
    "part-of-another, a container interface": (guest_part, Port("c7", "vn-c")),
    "part-of-another, a VLAN adapter": (vlan_part, RemoveVlan("eth0.100")),
    "part-of-another, the bridge itself": (bridge_part, RemoveBridge("vn-a", "eth0")),
    "missing-adapter": (lines(""), Bridge("vn-a", "eth7")),
    "in-other-bridge": (foreign_bridge, MOVE),
    "name-taken": (lines("link add vn-a type veth peer name other"), MOVE),
    "two-owners": (lines("link add vn-a type bridge\naddr add 10.66.0.1/24 dev vn-a"), MOVE),
    "not-ethernet": (lines("tuntap add mode tun name tun0"), Bridge("vn-a", "tun0")),
    "label": (
        lines("addr add 10.77.0.14/24 dev eth0 label eth0:eleven-ch"),
        Bridge("vn-longername-1", "eth0"),
    ),
    "adopt-differs": (lines(""), Adopt("br0", "eth0")),
    "not-a-container": (uplinks, Port("eth0", "vn-c")),
    "missing-bridge": (uplinks, Port("eth1", "vn-gone")),
    "not-a-bridge": (lines(""), RemoveBridge("eth0")),
    "bridge-has-addresses": (
        lines("link add vn-z type bridge\naddr add 10.66.0.1/24 dev vn-z"),
        RemoveBridge("vn-z"),
    ),
    "not-a-vlan": (lines(""), RemoveVlan("eth0")),
    "vlan-in-use": (lambda server: stacked(server, "eth0.100 eth0", "v5 eth0.100"), RemoveVlan("eth0.100")),
}


@pytest.mark.parametrize("code", REFUSED)
def test_it_is_refused_with_reason_and_remedy(server: Server, code: str) -> None:
    arrange, step = REFUSED[code]
    arrange(server)
    match step:
        case Bridge(bridge, adapter):
            keeps: tuple[KeepBridge, ...] = (KeepBridge(bridge, adapter),)
        case Adopt(bridge, adapter):
            keeps = (KeepBridge(bridge, adapter, adopted=True),)
        case Port(_, bridge):
            keeps = (KeepBridge(bridge),)
        case _:
            keeps = ()
    plan = HostPlan((step,), keeps)
    before = server.state()
    shown = server.plan(plan)
    assert shown.code == 69, shown.raw
    assert code.partition(",")[0] in {note.code for note in shown.answer.refusals}, shown.raw
    assert all(len(note.text) > 15 for note in shown.answer.refusals)
    done = server.apply("t", plan, digest=shown.answer.digest)
    assert done.code == 69 and done.answer.refusals == shown.answer.refusals
    assert server.state() == before and server.call("status", "t").state == "none"


def test_vlan_adapters_go_with_all_that_stand_on_them_from_the_top(server: Server) -> None:
    """The kernel would take the upper one away with its base, and its own deletion fail."""
    stacked(server, "eth0.100 eth0", "v5 eth0.100", "v6 v5", "eth0.7 eth0")
    several = [RemoveVlan(name) for name in ("eth0.7", "eth0.100", "v6", "v5")]
    shown = server.plan(HostPlan(tuple(several)))
    assert {note.text for note in shown.answer.refusals} == {
        "v5 stands on eth0.100, which would take it away: delete it first"
    }
    several.sort(key=lambda step: ["v6", "v5", "eth0.100", "eth0.7"].index(step.dev))
    assert server.apply("t", HostPlan(tuple(several))).state == "committed"
    assert all(f"link {step.dev} " not in server.state() for step in several)


def test_no_container_joins_a_bridge_with_another_vlan_adapter_than_the_one_decided_on(
    server: Server,
) -> None:
    stacked(server, "eth0.100 eth0")
    server.batch("link add vn-d type bridge\nlink set eth0.100 master vn-d")
    veth = server.add_guest(205, "10.77.0.205/24")
    for vid, refused in ((100, ["other-vlan"]), (5, [])):
        keeps = (KeepVlan("eth0.100", "eth0", vid), KeepBridge("vn-d", "eth0.100"))
        shown = server.plan(HostPlan((Port(veth, "vn-d"),), keeps))
        assert [note.code for note in shown.answer.refusals] == refused, shown.raw


def test_a_dhcp_client_for_the_adapter_is_found_and_a_containers_is_not(
    server: Server, move: HostPlan
) -> None:
    client = server.root / "dhclient"
    run("cp", "/bin/sleep", str(client))
    server.add_guest(101, "10.77.5.1/24")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    for where, user, adapter, refused in (
        (server.ns("g101"), (), "eth0", False),
        (server.ns("s"), nobody, "eth0", False),  # anybody can call a program so
        (server.ns("s"), (), "eth0.100 -pf dhclient-eth01.pid", False),
        (server.ns("s"), (), "eth0", True),
        (server.ns("s"), (), "-i eth0 -q", True),
    ):
        # sleep takes several times and adds them up; the name of the NIC rides along as argv[0].
        process = subprocess.Popen(
            ("ip", "netns", "exec", where, *user, "bash", "-c", f"exec -a 'dhclient {adapter}' {client} 60"),
        )
        try:
            for _ in range(50):
                if "dhclient" in run("cat", f"/proc/{process.pid}/comm").stdout:
                    break
                server.run("sleep", "0.1")
            notes = {note.code for note in server.plan(move).answer.refusals}
            assert ("dhcp-client" in notes) == refused
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_firewall_rules_and_policy_rules_by_name_are_pointed_out(
    server: Server, move: HostPlan, family: str
) -> None:
    server.run("ip", family, "rule", "add", "iif", "eth0", "lookup", "100")
    table = 'table inet t { chain c { type filter hook input priority 0; iifname "eth0" accept\n }\n}\n'
    run("ip", "netns", "exec", server.ns("s"), "nft", "-f", "-", stdin=table)
    shown = server.plan(move)
    assert shown.code == 0
    assert {note.code for note in shown.answer.warnings} == {"rule-by-name", "rule-by-nic"}


def test_a_stopped_containers_interface_is_only_pointed_out(server: Server) -> None:
    plan = HostPlan((Bridge("vn-c"), Port("veth9.0", "vn-c")), (KeepBridge("vn-c"),))
    shown = server.plan(plan)
    assert shown.code == 0 and [note.code for note in shown.answer.warnings] == ["port-absent"]
    assert server.apply("t", plan).state == "committed"


def test_a_smaller_mtu_and_a_bridge_of_others_are_pointed_out(server: Server) -> None:
    veth = server.add_guest(101, "10.77.5.1/24")
    server.batch(f"link set {veth} mtu 1400\nlink add br7 type bridge\nlink set {veth} master br7")
    plan = HostPlan((Bridge("vn-c"), Port(veth, "vn-c")), (KeepBridge("vn-c"),))
    assert {note.code for note in server.plan(plan).answer.warnings} == {"mtu", "leaves-unmanaged"}


def test_what_is_not_managed_is_not_touched(server: Server) -> None:
    foreign_bridge(server)
    veth = server.add_guest(101, "10.77.0.102/24")
    before = server.state()
    adopt = HostPlan((Adopt("br0", "eth0"),), (KeepBridge("br0", "eth0", adopted=True),))
    shown = server.plan(adopt)
    assert shown.answer.get("empty") == "yes" and not shown.answer.is_guarded
    assert server.apply("t", adopt).state == "committed" and server.state() == before
    joined = HostPlan((Port(veth, "br0"),), (KeepBridge("br0", "eth0", adopted=True),))
    assert not server.plan(joined).answer.is_guarded
    assert server.apply("u", joined).state == "committed"
    # The adapter of an adopted bridge is not ours to take out of it.
    other = HostPlan((MOVE,), (KeepBridge("vn-a", "eth0"),))
    assert server.plan(other).code == 69


@pytest.mark.parametrize("txid", ["", "-x", "a b", "../x", "x" * 65, "a;b"])
def test_bad_transaction_ids_are_refused(server: Server, txid: str, move: HostPlan) -> None:
    for words in (
        ["apply", txid, "15", "0" * 64],
        ["confirm", txid, "1"],
        ["abort", txid],
        ["extend", txid, "30"],
    ):
        assert server.call(*words, stdin=move.render()).code == 64


@pytest.mark.parametrize("seconds", ["0", "1", "901", "x", "", "015", "99999999999"])
def test_bad_times_are_refused(server: Server, seconds: str, move: HostPlan) -> None:
    assert server.call("apply", "t", seconds, "0" * 64, stdin=move.render()).code == 64


def test_bad_plans_change_nothing_and_say_where(server: Server) -> None:
    before = server.state()
    refused = server.call("apply", "t", "15", "0" * 64, stdin="vnetpanel-plan 1\nstep rmvlan a;b\nend\n")
    assert refused.code == 64 and refused.answer.get("error") == "line 2, DEV: not a valid value"
    cut = server.call("plan", stdin="vnetpanel-plan 1\nstep bridge vn-a eth0\n")
    assert cut.code == 64 and "cut short" in cut.answer.get("error")
    assert server.state() == before and not (server.run_dir / "txn" / "t").exists()


OURS = HostPlan((Bridge("vn-a"),), (KeepBridge("vn-a"),))
ADDRESSED = {
    "with spanning tree on": "link add vn-a type bridge stp_state 1\nlink set vn-a up\n",
    "that is down, and whose routes would come back": "link add vn-a type bridge forward_delay 0\n",
}


@pytest.mark.parametrize("case", ADDRESSED)
def test_a_bridge_of_ours_that_carries_an_address_is_mended_on_the_guarded_path(
    server: Server, case: str
) -> None:
    server.batch(f"{ADDRESSED[case]}addr add 10.66.0.1/24 dev vn-a")
    shown = server.plan(OURS)
    assert (shown.answer.get("path"), shown.answer.get("empty")) == ("guarded", "no"), shown.raw


def test_a_plan_that_has_become_dangerous_since_its_review_is_not_run(server: Server) -> None:
    """The commands are the same, but by now an address of the server hangs on the bridge."""
    server.apply("one", OURS)
    server.batch("link set vn-a down")
    reviewed = server.plan(OURS)
    server.batch("addr add 10.66.0.1/24 dev vn-a")
    now = server.plan(OURS)
    assert [c.text for c in reviewed.answer.commands] == [c.text for c in now.answer.commands]
    assert (reviewed.answer.get("path"), now.answer.get("path")) == ("short", "guarded")
    before = server.state()
    assert server.apply("t", OURS, digest=reviewed.answer.digest).code == 65
    assert server.state() == before
