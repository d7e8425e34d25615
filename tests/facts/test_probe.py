"""The probe on this machine's kernel, by every shell and userland that it must run on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nodes import remembered
from nodes.facts import Bridge, ProxyEntry, ServerFacts
from nodes.probe import MAX_LOOK_BYTES, probe_command
from nodes.probe_output import UnreadableLook, parse_look
from tests.facts.conftest import NONCE, Server, settle

pytestmark = pytest.mark.netns
SHELLS = (("dash",), ("busybox", "sh"), ("bash",))


def steady(facts: ServerFacts) -> ServerFacts:
    """Without what changes from one look to the next."""
    return replace(facts, uptime_s=0.0, true_ms=None)


def link(facts: ServerFacts, name: str):
    found = facts.link(name)
    assert found is not None, name
    return found


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_it_brings_the_same_facts_in_every_shell(server: Server, shell: tuple[str, ...]) -> None:
    assert steady(server.facts(*shell, VZ_PREFIX="pbct")) == steady(server.facts("dash", VZ_PREFIX="pbct"))


@pytest.fixture(scope="module")
def facts(server: Server) -> ServerFacts:
    return server.facts("sh", VZ_PREFIX="pbct")


def test_it_sees_links_bridges_and_ports(facts: ServerFacts, server: Server) -> None:
    bridge = link(facts, "br0")
    assert bridge.kind == "bridge" and bridge.mac == "02:00:00:00:00:0b" and bridge.mac_pinned and bridge.up
    assert bridge.bridge is not None and not bridge.bridge.stp and bridge.bridge.forward_delay_s == 15.0
    assert link(facts, "br-alone").bridge == Bridge(False, 0.0, bridge.bridge.vlan_filtering)
    assert {port.name for port in facts.ports("br0")} == {
        "eth0",
        f"pba{server.ctids[0][-6:]}",
        f"pbb{server.ctids[1][-6:]}",
    }
    assert link(facts, "eth0").kind == "nic"
    assert link(facts, f"pba{server.ctids[0][-6:]}").kind == "veth"


def test_it_sees_settings_of_links(facts: ServerFacts) -> None:
    alone, bridge = link(facts, "br-alone"), link(facts, "br0")
    assert (alone.arp_ignore, alone.ipv6_disabled, alone.up) == (8, True, False)
    assert bridge.proxy_arp and not alone.proxy_arp and not bridge.ipv6_disabled


def test_it_sees_addresses_routes_rules_and_proxy_entries(facts: ServerFacts) -> None:
    bridge = link(facts, "br0")
    assert {address.cidr for address in bridge.addresses if address.scope == "global"} == {
        "10.1.0.11/24",
        "10.1.0.12/24",
        "192.0.2.1/32",
        "10.9.0.1/32",
        "fd77::11/64",
    }
    labelled = next(address for address in bridge.addresses if address.peer)
    assert (labelled.peer, labelled.label) == ("10.9.0.2", "br0:ptp")
    routes = {(route.family, route.dst): route for route in facts.routes}
    assert routes[4, "default"].via == "10.1.0.1"
    assert routes[6, "default"].dev == "br0" and routes[6, "default"].via == ""
    assert (routes[4, "10.50.0.0/16"].table, routes[4, "10.50.0.0/16"].metric) == ("100", 7)
    assert routes[4, "10.60.0.0/16"].multipath and (4, "10.70.0.0/16") not in routes
    assert facts.policy_rules == ("inet 500: from 10.1.0.12 lookup 100",)
    assert set(facts.proxies) == {ProxyEntry(4, "10.1.0.101", "br0"), ProxyEntry(6, "fd77::65", "br0")}


def test_it_knows_which_link_we_came_by(facts: ServerFacts) -> None:
    assert (facts.management_address, facts.management_link) == ("10.1.0.11", "br0")


def test_it_reads_the_state_of_our_transactions(facts: ServerFacts) -> None:
    assert (facts.transaction.committed_txid, facts.transaction.pending_txid) == ("01-ab", "02-cd")
    assert facts.transaction.committed == ("txid 01-ab", "keep bridge br0 -", "end")


def test_it_looks_into_containers_by_namespace_and_by_vzctl(facts: ServerFacts, server: Server) -> None:
    first, second = (
        next(container for container in facts.containers if container.ctid == ctid) for ctid in server.ctids
    )
    assert first.inside is not None and second.inside is not None
    assert [
        a.cidr for link in first.inside.links for a in link.addresses if a.family == 4 and link.name == "eth0"
    ]
    inner = {link.name: link for link in second.inside.links}
    assert inner["br1"].kind == "bridge" and inner["eth0"].master == "br1"
    assert second.inside.forwarding4 and not first.inside.forwarding4


def test_it_finds_an_interface_that_is_not_saved(facts: ServerFacts, server: Server) -> None:
    second = next(container for container in facts.containers if container.ctid == server.ctids[1])
    (interface,) = second.interfaces
    assert (interface.ifname, interface.saved) == ("eth0", False)
    assert interface.host_ifname == f"pbb{server.ctids[1][-6:]}"


def test_it_knows_an_interface_that_is_called_otherwise_inside(server: Server) -> None:
    def call(name: str, other: str) -> None:
        for words in (("down",), ("name", other), ("up",)):
            server.run(
                "ip", "-n", server.ctids[0], "link", "set", other if words == ("up",) else name, *words
            )

    call("eth0", "wan")
    try:
        facts = server.facts("sh", VZ_PREFIX="pbct")
    finally:
        call("wan", "eth0")
        settle((server.ctids[0],))
    first = next(container for container in facts.containers if container.ctid == server.ctids[0])
    bridged = [(one.ifname, one.saved) for one in first.interfaces if one.mode == "bridged"]
    assert bridged == [("eth0", True), ("wire0", False)]
    assert first.inside is not None
    (eth0,) = (one for one in first.inside.links if one.name == "eth0")
    assert "10.1.0.101/24" in {address.cidr for address in eth0.addresses}


def test_it_keeps_hostile_text_as_text_and_runs_none(facts: ServerFacts, server: Server) -> None:
    first = next(container for container in facts.containers if container.ctid == server.ctids[0])
    assert first.name == "<script>alert(1)</script>"
    assert not (server.tree / "owned").exists()


def test_it_names_every_broken_conf_file_and_keeps_the_rest(facts: ServerFacts, server: Server) -> None:
    found = {(finding.code, finding.subject) for finding in facts.findings}
    assert ("conf_broken", "7") in found  # no closing quote
    assert ("conf_broken", "8") in found  # empty
    assert ("conf_broken", server.ctids[1]) in found  # a value with line breaks
    assert ("conf_dangling", "10") in found
    assert ("container_hidden", "8") in found
    assert ("conf_broken", "0123abcd-0000-4000-8000-00000000000a") in found  # not an address
    assert any(code == "odd_text" for code, _ in found)
    assert [container.ctid for container in facts.containers] == [
        "7",
        "8",
        "10",
        *server.ctids,
        "0123abcd-0000-4000-8000-00000000000a",
    ]


def test_it_reads_the_same_from_an_ip_without_json(server: Server, tmp_path: Path) -> None:
    """An ip that calls itself old and refuses -j; the rest of iproute2's text is this machine's."""
    old = tmp_path / "ip"
    old.write_text(
        "#!/bin/sh\ncase $1 in -V) echo 'ip utility, iproute2-ss170501'; exit ;; esac\n"
        'for word; do [ "$word" != -j ] || exit 255; done\nexec /usr/sbin/ip "$@"\n'
    )
    old.chmod(0o755)
    path = f"{tmp_path}:{server.tree / 'bin'}:{os.defpath}:/usr/sbin:/sbin"
    text, facts = server.facts("sh", path=path, VZ_PREFIX="pbct"), server.facts("sh", VZ_PREFIX="pbct")
    assert "ip_json" not in text.capabilities
    same = {"capabilities": facts.capabilities, "tools": facts.tools}
    assert replace(steady(text), **same) == steady(facts)


def test_it_does_without_anything_but_busybox(server: Server, tmp_path: Path) -> None:
    for applet in ("ip", "awk", "grep", "head", "tr", "timeout", "sh", "cat"):
        (tmp_path / applet).symlink_to("/usr/bin/busybox")
    path = f"{tmp_path}:{server.tree / 'bin'}"
    bare, facts = server.facts("busybox", "sh", path=path, VZ_PREFIX="pbct"), server.facts(VZ_PREFIX="pbct")
    assert [link.name for link in bare.links] == [link.name for link in facts.links]
    assert [link.addresses for link in bare.links] == [link.addresses for link in facts.links]
    assert bare.containers[0] == facts.containers[0]
    assert {(r.family, r.dst, r.via, r.dev) for r in bare.routes if r.family == 4 and not r.multipath} <= {
        (r.family, r.dst, r.via, r.dev) for r in facts.routes
    }


def test_it_changes_nothing_and_leaves_no_process(server: Server) -> None:
    before = sorted(server.tree.rglob("*"))
    server.look()
    assert sorted(server.tree.rglob("*")) == before


def test_it_survives_a_vzlist_that_never_ends_and_one_that_never_stops_printing(
    server: Server, tmp_path: Path
) -> None:
    for answer, code in (("sleep 600", "vzlist_broken"), ("yes '<b>{\"ctid\":'", "vzlist_broken")):
        vzlist = tmp_path / "vzlist"
        vzlist.write_text(f"#!/bin/sh\n{answer}\n")
        vzlist.chmod(0o755)
        path = f"{tmp_path}:{server.tree / 'bin'}:{os.defpath}:/usr/sbin:/sbin"
        facts = server.facts("sh", path=path)
        assert code in {finding.code for finding in facts.findings}
        assert len(facts.links) > 4 and len(facts.containers) == 6


def test_it_refuses_to_run_without_a_nonce(server: Server) -> None:
    assert NONCE.encode() in server.look()


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_it_says_again_only_what_may_have_changed_since_the_same_boot(
    server: Server, shell: tuple[str, ...]
) -> None:
    def look(*known: str) -> bytes:
        command = probe_command(NONCE, known)
        return server.run(*shell, *command.argv[1:], stdin=command.stdin, VZ_PREFIX="pbct")

    def same(answer: bytes) -> set[str]:
        return {line.split()[2] for line in answer.decode(errors="replace").splitlines() if " same " in line}

    whole = look()
    known = remembered.completed(0, whole, NONCE, None) and remembered.known_of(0)
    assert known and known.words == (boot_id(), "ip-version", "vzctl-version")  # a bridge shows the third
    answer = look(*known.words)
    assert same(answer) == {"ip-version", "vzctl-version"}
    assert steady(parse_look(remembered.completed(0, answer, NONCE, known), NONCE)) == steady(
        parse_look(whole, NONCE)
    )
    assert not same(look("another-boot", "ip-version", "vzctl-version")) and not same(look(boot_id()))
    remembered.forget_all()


def test_it_says_no_more_when_it_is_too_long_but_ends_as_it_should(server: Server, tmp_path: Path) -> None:
    noisy = tmp_path / "ip"
    noisy.write_text(
        '#!/bin/sh\ncase "$*" in -j*-batch*) yes "[{\\"dst\\":\\"10.0.0.0/8\\"}]";; esac\n'
        'exec /usr/sbin/ip "$@"\n'
    )
    noisy.chmod(0o755)
    path = f"{tmp_path}:{server.tree / 'bin'}:{os.defpath}:/usr/sbin:/sbin"
    answer = server.look("sh", path=path, VZ_PREFIX="pbct")
    assert len(answer) < MAX_LOOK_BYTES
    facts = parse_look(answer, NONCE)
    assert "section_truncated" in {finding.code for finding in facts.findings}
    assert {link.name for link in facts.links} > {"eth0", "br0"} and len(facts.containers) == 6


def test_a_look_whose_files_could_not_be_read_to_the_end_is_none(server: Server, tmp_path: Path) -> None:
    """mawk ends at the first file that cannot be read; what it did not say must not pass for gone."""
    awk = tmp_path / "awk"
    awk.write_text("#!/bin/sh\nhead -c 900\nexit 2\n")
    awk.chmod(0o755)
    path = f"{tmp_path}:{server.tree / 'bin'}:{os.defpath}:/usr/sbin:/sbin"
    command = probe_command(NONCE)
    words = (
        "sh",
        "-c",
        'sh "$@"; test $? = 1',
        *command.argv,
    )
    with pytest.raises(UnreadableLook, match="cut off"):
        parse_look(server.run(*words, stdin=command.stdin, path=path), NONCE)


def test_a_server_without_awk_is_told_what_it_lacks(server: Server, tmp_path: Path) -> None:
    for applet in ("ip", "grep", "head", "tr", "timeout", "sh", "cat"):
        (tmp_path / applet).symlink_to("/usr/bin/busybox")
    with pytest.raises(UnreadableLook, match="There is no awk on this server"):
        server.facts("sh", path=f"{tmp_path}:{server.tree / 'bin'}")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_it_brings_the_rules_of_ipv6_where_a_route_could_be_chosen(
    server: Server, shell: tuple[str, ...]
) -> None:
    server.run("ip", "-6", "rule", "add", "from", "fd77::11", "lookup", "100", "priority", "600")
    try:
        rules = server.facts(*shell, VZ_PREFIX="pbct").policy_rules
    finally:
        server.run("ip", "-6", "rule", "del", "priority", "600")
    assert "inet6 600: from fd77::11 lookup 100" in rules


def alone(*commands: str) -> bytes:
    """What the probe prints in a namespace of its own, after these commands; no vzctl, no bridge."""
    script = " && ".join(("mount -t sysfs none /sys", "ip link set lo up", *commands, f"sh -s {NONCE}"))
    words = ["unshare", "-n", "-m", "sh", "-c", script]
    env = {"PROBE_PATH": f"{os.defpath}:/usr/sbin:/sbin", "PATH": os.environ["PATH"]}
    return subprocess.run(
        words, input=probe_command(NONCE).stdin, capture_output=True, env=env, timeout=60
    ).stdout


def test_without_routes_of_ipv6_but_each_link_s_own_nobody_asks_for_its_rules() -> None:
    link = "ip link add eth7 type veth peer name eth8 && ip link set eth7 up && ip link set eth8 up"
    settled = "until grep -q '^fe80.*eth7' /proc/net/ipv6_route; do sleep 0.05; done"
    marks = f"@{NONCE} begin rules6\n".encode(), f"@{NONCE} done\n".encode()
    own = alone(link, settled)
    assert marks[0] not in own and marks[1] in own
    for route in ("fd78::/64 dev eth7", "blackhole default metric 9", "default dev eth7"):
        assert marks[0] in alone(link, f"ip -6 route add {route}"), route


def test_a_server_without_a_bridge_need_not_search_its_kernel_again() -> None:
    answer = alone("true")
    known = remembered.completed(0, answer, NONCE, None) and remembered.known_of(0)
    remembered.forget_all()
    assert known and known.words[:2] == (boot_id(), "modules")


@pytest.mark.parametrize(
    ("said", "can_filter"),
    [
        ("found:/lib/modules/6.1/kernel/net/bridge/bridge.ko.xz", False),
        ("/lib/modules/6.1/modules.dep:kernel/net/bridge/bridge.ko", False),
        ("/lib/modules/6.1/kernel/net/bridge/bridge.ko", True),
        ("/boot/config-6.1.0-18-amd64", True),
        ("/proc/config-", True),
        ("/proc/kallsyms", True),
    ],
)
def test_a_module_that_is_there_does_not_show_that_it_filters_tags(said: str, can_filter: bool) -> None:
    answer = alone("true").decode()
    before, mark, rest = answer.partition(f"@{NONCE} begin modules\n")
    rest = rest[rest.index(f"\n@{NONCE} rc") :]
    facts = parse_look(f"{before}{mark}{said}\n{rest}".encode(), NONCE)
    assert ("vlan_filtering" in facts.capabilities) is can_filter


def test_no_process_of_the_server_can_say_what_is_to_be_read(server: Server, tmp_path: Path) -> None:
    """A command line stands in the answer as it is, and a user of the server may know the nonce from `ps`."""
    secret = tmp_path / "secret " / "dhclient eth0 60 "  # as the line ends
    secret.parent.mkdir()
    secret.write_text("s3cret\n")
    named = [
        f"@{NONCE} read {tmp_path}/secret /dhclient eth0",
        f"@{NONCE} session 1;touch {tmp_path}/owned;: /dhclient eth0",
    ]
    words = ["ip", "netns", "exec", server.name, "bash", "-c", 'exec -a "$0" sleep 60']
    processes = [subprocess.Popen([*words, name]) for name in named]
    traced = 'mount -t tmpfs none /run && touch /run/dhclient.pid && exec sh -s "$0"'
    try:
        deadline = time.monotonic() + 10
        answer = b""
        while answer.count(b"/dhclient eth0") < len(named) and time.monotonic() < deadline:
            answer = server.run(
                "sh", "-c", traced, NONCE, stdin=probe_command(NONCE).stdin, SSH_CONNECTION=""
            )
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert answer.count(b"/dhclient eth0") == len(named)
    assert b"s3cret" not in answer and not (tmp_path / "owned").exists()
    assert parse_look(answer, NONCE).links


def test_a_process_whose_name_has_line_breaks_leads_nowhere(server: Server, tmp_path: Path) -> None:
    """What started the look has its name in /proc/PID/stat, where its parent's number comes after it."""
    (tmp_path / "stat").symlink_to("/etc/hostname")
    (tmp_path / "look").write_text(
        "import subprocess, sys\n"
        "open('/proc/self/comm', 'w').write('x) S self/cwd\\nq')\n"
        "sys.exit(subprocess.call(['sh', '-s', sys.argv[1]], cwd=sys.argv[2]))\n"
    )
    answer = server.run(
        sys.executable, str(tmp_path / "look"), NONCE, str(tmp_path),
        stdin=probe_command(NONCE).stdin, SSH_CONNECTION="",
    )  # fmt: skip
    lines = answer.decode(errors="replace").splitlines()
    processes = [line for line in lines if line.startswith("process ")]
    assert len(processes) == 2 and all(line.split()[1].isdigit() for line in processes), processes


def test_many_conf_files_do_not_take_the_place_of_what_ip_says(server: Server) -> None:
    folder = server.tree / "vz/conf"
    made = [folder / f"7{number:05d}.conf" for number in range(1500)]
    for path in made:
        path.write_text("".join(f'NETIF="ifname=eth{n},mac=00:18:51:00:00:01"\n' for n in range(16)))
    try:
        facts = server.facts("sh", VZ_PREFIX="pbct")
    finally:
        for path in made:
            path.unlink()
    assert "section_truncated" in {finding.code for finding in facts.findings}
    assert facts.management_link == "br0" and facts.routes


def test_folders_named_like_files_are_passed_over(server: Server) -> None:
    folder = server.tree / "vz/conf/99.conf"
    folder.mkdir()
    try:
        facts = server.facts("sh", VZ_PREFIX="pbct")
    finally:
        folder.rmdir()
    assert facts.links and len([one for one in facts.containers if one.inside]) == 2


@pytest.mark.parametrize(("is_known", "most"), [(False, 14), (True, 11)])
def test_a_look_at_a_server_with_one_running_container_takes_few_forks(
    server: Server, tmp_path: Path, is_known: bool, most: int
) -> None:
    """Counted as the process ids used in a pid namespace of its own: every fork counts, subshells too.

    13 and 11 with rules of IPv6 to ask for; each kind of loaded firewall takes four more.
    """
    vzlist = tmp_path / "vzlist"
    vzlist.write_text(f"#!/bin/sh\necho {server.ctids[0]} running\n")
    vzlist.chmod(0o755)
    known = (boot_id(), "ip-version", "vzctl-version") if is_known else ()
    command = probe_command(NONCE, known)
    (tmp_path / "probe").write_bytes(command.stdin)
    program = f"{' '.join(command.argv)} <{tmp_path}/probe >{tmp_path}/answer; sh -c 'echo $$'"
    path = f"{tmp_path}:{server.tree / 'bin'}:{os.defpath}:/usr/sbin:/sbin"
    forks = server.run("unshare", "-p", "-f", "--mount-proc", "sh", "-c", program, path=path)
    answer = (tmp_path / "answer").read_bytes()
    facts = parse_look(answer, NONCE)
    first = next(container for container in facts.containers if container.ctid == server.ctids[0])
    assert first.inside is not None
    taken = int(forks) - 2  # the outer sh is 1, the one that counts comes last
    print(f"{taken} forks of a look")
    assert taken <= most + 4 * sum(
        f"@{NONCE} begin {name}".encode() in answer for name in ("nft", "iptables", "ip6tables")
    )
