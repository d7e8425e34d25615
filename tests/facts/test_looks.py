"""Sections, findings and what a look says about the session itself."""

from __future__ import annotations

import json

import pytest

from nodes.boot import boot_summary
from nodes.facts import Container, Finding, ServerFacts
from nodes.probe_output import UnreadableLook, parse_look, read_sections
from nodes.sync_values import interfaces

NONCE = "0123456789abcdef"


def look(*sections: tuple[str, str], noise: str = "", nonce: str = NONCE, rc: str = "0") -> bytes:
    body = "".join(f"\n@{nonce} begin {name}\n{text}\n@{nonce} rc {rc}\n" for name, text in sections)
    return f"{noise}\n@{nonce} look 1\n{body}\n@{nonce} done\n".encode()


def codes(facts: ServerFacts) -> set[str]:
    return {finding.code for finding in facts.findings}


def test_sections_are_cut_at_lines_with_the_nonce_only() -> None:
    text = "@fedcba9876543210 rc 0\n@fedcba9876543210 begin kernel\n @0123456789abcdef rc 7"
    (section,) = read_sections(look(("conf", text)), NONCE).values()
    assert section.data.decode() == text and section.rc == 0


def test_another_looks_answer_is_refused() -> None:
    with pytest.raises(UnreadableLook, match="not one of the probe's"):
        parse_look(look(nonce="fedcba9876543210"), NONCE)


def test_a_look_without_its_end_is_refused() -> None:
    with pytest.raises(UnreadableLook, match="cut off"):
        parse_look(look().replace(b"done", b""), NONCE)


def test_a_section_that_was_cut_off_is_named_and_the_next_one_kept() -> None:
    raw = look(("conf", "/etc/vz/conf/101.conf:NAM"), ("conf-names", "file 101.conf"))
    facts = parse_look(raw.replace(b"rc 0", b"", 1).replace(f"@{NONCE} \n".encode(), b"", 1), NONCE)
    assert "section_truncated" in codes(facts)
    assert [container.ctid for container in facts.containers] == ["101"]


def test_it_takes_no_part_of_a_json_answer_that_was_cut_off_for_whole() -> None:
    entry = '{"ifname":"eth0","ifindex":2,"flags":["UP"],"addr_info":[{"local":"10.0.0.1","prefixlen":24}]}'
    facts = parse_look(
        look(
            ("kernel", "eth0/ifindex:2\neth1/ifindex:3"), ("net-json", f'[{entry},{{"ifname":"eth1","addr_i')
        ),
        NONCE,
    )
    assert [link.name for link in facts.links] == ["eth0", "eth1"]
    assert [address.cidr for address in facts.links[0].addresses] == ["10.0.0.1/24"]
    assert "unreadable" in codes(facts)


def test_a_shell_that_prints_at_login_is_named() -> None:
    facts = parse_look(look(noise="Welcome to \x1b[1mserver1\x1b[0m!\n"), NONCE)
    (noisy,) = (finding for finding in facts.findings if finding.code == "noisy_shell")
    assert noisy.text.endswith("Welcome to server1!")


def test_invalid_utf8_is_named_and_shown_as_replaced() -> None:
    raw = look(("conf-names", "file 101.conf"), ("conf", "/c/101.conf:NAME=@@")).replace(b"@@", b"\xff\xfe")
    facts = parse_look(raw, NONCE)
    assert "odd_text" in codes(facts) and facts.containers[0].name == "\ufffd\ufffd"


@pytest.mark.parametrize(
    ("version", "spoken"),
    [("4.11.1-3", "4"), ("3.3", "4"), ("7.0.225", "7"), ("9.0.1", "7"), ("6.0.12", None), ("5.1", None)],
)
def test_it_knows_the_dialect_by_the_version(version: str, spoken: str | None) -> None:
    facts = parse_look(
        look(("who", "tool vzctl /usr/sbin/vzctl"), ("vzctl-version", f"vzctl version {version}")), NONCE
    )
    assert facts.vzctl_dialect == spoken and facts.vzctl_version == version
    assert ("dialect_unknown" in codes(facts)) is (spoken is None)


def test_a_server_without_vzctl_is_named_and_blames_no_container() -> None:
    facts = parse_look(look(("conf-names", "file 101.conf"), ("conf", "/c/101.conf:NAME=a")), NONCE)
    assert codes(facts) & {"vzctl_missing", "container_hidden", "vzlist_broken"} == {"vzctl_missing"}


def test_a_vzlist_that_failed_makes_states_unknown_not_containers_hidden() -> None:
    who = ("who", "tool vzctl /usr/sbin/vzctl")
    facts = parse_look(
        look(who, ("conf-names", "file 101.conf"), ("conf", "/c/101.conf:NAME=a"), rc="137"), NONCE
    )
    assert "vzlist_broken" in codes(facts) and "container_hidden" not in codes(facts)
    assert facts.containers[0].status == "unknown"


def test_the_age_of_the_session_is_what_its_shell_took() -> None:
    who = (
        "uptime 100.35\nprocess 900 10022 sh\nprocess 899 10004 bash\nprocess 850 9900 sshd\nprocess 1 3 sshd"
    )
    assert parse_look(look(("who", who)), NONCE).true_ms == 310.0
    assert parse_look(look(("who", "uptime 100.35\nprocess 9 10 sh")), NONCE).true_ms is None


@pytest.mark.parametrize(
    ("connection", "address"),
    [
        ("192.0.2.9 50000 192.0.2.1 22", "192.0.2.1"),
        ("fd00::9 50000 fd00::1 22", "fd00::1"),
        ("fe80::9%eth0 50000 fe80::1%eth0 22", "fe80::1"),
        ("nonsense", ""),
    ],
)
def test_it_knows_the_address_that_we_came_to(connection: str, address: str) -> None:
    facts = parse_look(look(("who", f"uptime 1.00\nSSH_CONNECTION={connection}")), NONCE)
    assert (facts.management_address, facts.management_link) == (address, "")


def test_a_skipped_container_is_named() -> None:
    facts = parse_look(look(("conf-names", "file 101.conf"), ("inside-skipped 101", "")), NONCE)
    assert ("inside_unknown", "101") in {(finding.code, finding.subject) for finding in facts.findings}


def test_a_section_for_a_container_that_nobody_named_is_ignored() -> None:
    facts = parse_look(look(("inside-json 777", "[]")), NONCE)
    assert facts.containers == () and "inside_unknown" not in codes(facts)


def test_host_routed_addresses_in_use_but_not_saved_are_added() -> None:
    inside = (
        "%link\n2: venet0: <UP> mtu 1500 \\    link/void \n"
        "%addr\n2: venet0    inet 127.0.0.2/32 scope host venet0\n"
        "2: venet0    inet 10.9.0.7/32 scope global venet0:0\n"
    )
    names = ("conf-names", "file 101.conf")
    facts = parse_look(
        look(names, ("conf", '/c/101.conf:IP_ADDRESS="10.9.0.1"'), ("inside-text 101", inside)), NONCE
    )
    assert facts.containers[0].host_routed == ("10.9.0.1", "10.9.0.7")


def record(*lines: str) -> ServerFacts:
    """A look at a server with these lines in its record."""
    return parse_look(
        look(("kernel", "\n".join(f"/etc/vnetpanel/committed:{line}" for line in lines))), NONCE
    )


def test_the_record_of_a_server_with_a_network_on_every_vlan_is_known_whole() -> None:
    vlans = [f"keep vlan eth0.{vid} eth0 {vid}" for vid in range(1, 1001)]
    bridges = [f"keep bridge vn-{vid} eth0.{vid}" for vid in range(1, 1001)]
    saves = [f"save 4 {ctid} eth0 veth{ctid}.0 vn-1" for ctid in range(101, 2095)]
    facts = record("vnetpanel-committed 1", "txid 1", *vlans, *bridges, *saves, "end")
    assert facts.transaction.committed[-2:] == ("save 4 2094 eth0 veth2094.0 vn-1", "end")
    keeps = boot_summary(facts)["keeps"]
    assert len(keeps) == 2000 and keeps[-1] == ["bridge", "vn-1000", "eth0.1000"]


def test_of_a_record_without_its_end_nobody_says_what_it_lacks() -> None:
    lines = ("txid 1", "keep bridge vn-a eth0")
    assert boot_summary(record(*lines, "end"))["keeps"] == [["bridge", "vn-a", "eth0"]]
    assert boot_summary(record(*lines))["keeps"] == []


def veth(name: str, index: int, other: int, address: str = "", **more: str) -> dict[str, object]:
    """One end of a veth as `ip` says it; the other end is in another namespace."""
    return {
        "ifindex": index, "link_index": other, "ifname": name, "flags": ["UP"],
        "linkinfo": {"info_kind": "veth"},
        "addr_info": [{"local": address, "prefixlen": 24}] if address else [], **more,
    }  # fmt: skip


def look_into(*inside: dict[str, object], saved: int = 1) -> ServerFacts:
    """A look at a server with container 101, which has so many saved interfaces and these links inside."""
    netif = ";".join(f"ifname=eth{n},host_ifname=veth101.{n}" for n in range(saved))
    kernel = "\n".join(f"veth101.{n}/ifindex:{40 + n}" for n in range(3))
    ends = [veth(f"veth101.{n}", 40 + n, 2 + n) for n in range(3)]
    return parse_look(
        look(
            ("who", "tool vzctl /usr/sbin/vzctl"),
            ("kernel", kernel),
            ("conf-names", "file 101.conf"),
            ("conf", f'/c/101.conf:NETIF="{netif}"'),
            ("net-json", json.dumps(ends)),
            ("vzctl-version", "vzctl version 4.11.1"),
            ("vzlist", "101 running"),
            ("inside-json 101", json.dumps(inside)),
        ),
        NONCE,
    )


def addresses(facts: ServerFacts) -> dict[str, str]:
    return {name: str(row["addresses_text"]) for (_, name), row in interfaces(facts).items()}


def container(facts: ServerFacts) -> Container:
    (found,) = facts.containers
    return found


def test_an_interface_renamed_inside_its_container_is_still_the_saved_one() -> None:
    route = {"dst": "default", "gateway": "10.0.0.1", "dev": "wan"}
    tagged = {"ifindex": 9, "ifname": "wan.5", "link": "wan", "flags": [], "addr_info": []}
    tagged["linkinfo"] = {"info_kind": "vlan", "info_data": {"id": 5}}
    facts = look_into(veth("wan", 2, 40, "10.0.0.7"), tagged, route)
    assert addresses(facts) == {"eth0": "10.0.0.7/24"}
    (interface,) = container(facts).interfaces
    assert interface.saved and interface.host_ifname == "veth101.0"
    inside = container(facts).inside
    assert inside is not None and [(r.via, r.dev) for r in inside.routes] == [("10.0.0.1", "eth0")]
    assert inside.links[1].vlan is not None and inside.links[1].vlan.base == "eth0"
    assert facts.findings == (
        Finding(
            "interface_renamed",
            "eth0 is called wan inside: what is done to eth0 in there waits until it has its name again, "
            "or the container has restarted",
            "101",
        ),
    )


def test_interfaces_that_swapped_their_names_inside_are_known_by_their_ends_on_the_server() -> None:
    facts = look_into(veth("eth1", 2, 40, "10.0.0.7"), veth("eth0", 3, 41, "10.0.1.7"), saved=2)
    assert addresses(facts) == {"eth0": "10.0.0.7/24", "eth1": "10.0.1.7/24"}
    assert codes(facts) == {"interface_renamed"}


def test_another_link_inside_that_has_taken_the_saved_name_takes_the_other_one() -> None:
    bridge = {"ifindex": 7, "ifname": "eth0", "flags": ["UP"], "linkinfo": {"info_kind": "bridge"}}
    bridge["addr_info"] = [{"local": "10.0.0.7", "prefixlen": 24}]
    facts = look_into(veth("peth0", 2, 40, master="eth0"), bridge)
    assert addresses(facts) == {"eth0": "10.0.0.7/24"}
    inside = container(facts).inside
    assert inside is not None
    assert [(link.name, link.kind, link.master) for link in inside.links] == [
        ("eth0", "veth", "peth0"),
        ("peth0", "bridge", ""),
    ]


def test_an_interface_with_an_end_that_nothing_saved_names_is_not_saved() -> None:
    facts = look_into(veth("eth0", 2, 40, "10.0.0.7"), veth("wan", 4, 42, "10.0.2.7"))
    assert addresses(facts) == {"eth0": "10.0.0.7/24", "wan": "10.0.2.7/24"}
    assert [one.saved for one in container(facts).interfaces] == [True, False]
    assert codes(facts) == {"interface_unsaved"}
