"""Whatever bytes a server, a container or a broken disk sends: facts or UnreadableLook, always bounded."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes import facts_json, iproute_json, iproute_text
from nodes.boot import boot_of
from nodes.facts import ServerFacts
from nodes.firewall import firewall_traits
from nodes.iproute import policy_rules
from nodes.kernel_files import parse_kernel_files, server_links
from nodes.names import clean, host_address, shown_link_name
from nodes.owners import link_owners, vz_settings
from nodes.probe import MAX_LOOK_BYTES
from nodes.probe_output import UnreadableLook, parse_look
from nodes.vz_conf import containers_of, parse_vzlist
from nodes.vzctl import Vzctl4, Vzctl7

CASES = Path(__file__).with_name("cases")
NONCE = "0123456789abcdef"
SEEDS = {path: path.read_text() for path in CASES.glob("*/*.txt")}
LOOK = SEEDS[CASES / "look/linux-6.1-all-kinds.txt"]
SECTIONS = (
    "who kernel masters modules owners dhcp nmcli conf-names conf ip-version net-json net-text rules6 "
    "iptables nft vzctl-version vzlist"
).split()
quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
anything = st.text(max_size=400) | st.binary(max_size=400).map(lambda data: data.decode(errors="replace"))
odd = st.sampled_from(
    ["\x1b[31m", "\u202e", "<script>", "\0", "\n", "%link", '"', "9" * 5000, "[" * 3000, "-1", "1e999"]
)


@st.composite
def mutated(draw: st.DrawFn, *folders: str) -> str:
    """A captured answer with pieces cut out, doubled, or replaced by something nasty."""
    text = draw(st.sampled_from([text for path, text in SEEDS.items() if path.parent.name in folders]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 300)))
        text = text[:start] + draw(odd | st.text(max_size=20) | st.just(text[start:end] * 2)) + text[end:]
    return text


def answers(*folders: str) -> st.SearchStrategy[str]:
    return anything | mutated(*folders)


UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def no_control_characters(value: object) -> bool:
    """No terminal sequence, line break or direction mark in any text of the value."""
    if isinstance(value, dict):
        return all(no_control_characters(part) for part in [*value, *value.values()])
    if isinstance(value, list):
        return all(map(no_control_characters, value))
    return not (isinstance(value, str) and UNSEEN.search(value))


@quick
@given(answers("ip-json"))
def test_json_of_ip_never_raises(text: str) -> None:
    for seen in iproute_json.parse_json(text).links:
        assert shown_link_name(seen.link.name)


@quick
@given(answers("ip-text"))
def test_text_of_ip_never_raises(text: str) -> None:
    for seen in iproute_text.parse_text(text).links:
        assert shown_link_name(seen.link.name)


@quick
@given(answers("netif-4", "netif-7"))
def test_netif_never_raises_and_names_stay_short(text: str) -> None:
    for reading in (Vzctl4().parse_netif("101", text), Vzctl7().parse_netif("101", text)):
        for interface in reading.interfaces:
            assert len(interface.ifname.encode()) <= 15 and len(interface.host_ifname.encode()) <= 15
            assert len(interface.configured_bridge) <= 64


@quick
@given(answers("conf"), answers("conf"), answers("vzlist"))
def test_containers_never_raise_and_names_stay_short(names: str, lines: str, vzlist: str) -> None:
    statuses, _ = parse_vzlist(vzlist, finished=True)
    for container in containers_of(names, lines, statuses, True, Vzctl4()).containers.values():
        assert len(container.name) <= 64 and len(container.hostname) <= 253


@quick
@given(answers("owners"), answers("owners"), answers("owners"), answers("firewall"))
def test_owners_and_filters_never_raise(files: str, dhcp: str, nmcli: str, rules: str) -> None:
    link_owners(files, dhcp, nmcli, {1: "lo", 2: "eth0"})
    boot_of(files, dhcp, False)
    vz_settings(files)
    policy_rules(rules, "inet")
    firewall_traits(
        {"iptables": rules, "nft": rules}, {"net.bridge.bridge-nf-call-iptables": "1"}, {"eth0": "htb"}
    )


@quick
@given(answers("look"), answers("look"))
def test_kernel_files_never_raise(files: str, masters: str) -> None:
    links, _ = server_links(
        parse_kernel_files(files, masters), iproute_json.parse_json(""), {"veth101.0": "veth"}
    )
    assert all(shown_link_name(link.name) for link in links)


@quick
@given(st.binary(max_size=2000))
def test_bytes_that_are_no_look_are_refused(raw: bytes) -> None:
    try:
        parse_look(raw, NONCE)
    except UnreadableLook as error:
        assert error.reason.endswith(".")
    else:
        raise AssertionError("random bytes passed for a look")


def sections(texts: dict[str, bytes]) -> bytes:
    begun = b"".join(
        b"\n@%b begin %b\n%b\n@%b rc 0\n" % (NONCE.encode(), name.encode(), text, NONCE.encode())
        for name, text in texts.items()
    )
    return b"\n@%b look 1\n%b\n@%b done\n" % (NONCE.encode(), begun, NONCE.encode())


@quick
@given(
    st.dictionaries(
        st.sampled_from([*SECTIONS, "inside-json 101", "inside-text 101", "inside-skipped 101"]),
        st.binary(max_size=500)
        | answers("ip-json", "ip-text", "conf", "vzlist", "owners").map(
            lambda text: text.encode(errors="replace")
        ),
        max_size=8,
    )
)
def test_a_look_of_random_sections_gives_facts_that_can_be_stored(texts: dict[str, bytes]) -> None:
    facts = parse_look(sections(texts), NONCE)
    assert facts_json.load(facts_json.dump(facts)) == facts
    assert no_control_characters(json.loads(facts_json.dump(facts)))


@quick
@given(mutated("look"))
def test_a_damaged_look_gives_facts_or_is_refused(text: str) -> None:
    try:
        facts = parse_look(text.encode(errors="replace"), NONCE)
    except UnreadableLook:
        return
    assert isinstance(facts, ServerFacts)
    assert no_control_characters(json.loads(facts_json.dump(facts)))


@quick
@given(st.integers(0, len(LOOK.encode())))
def test_a_look_that_was_cut_off_is_refused(length: int) -> None:
    raw = LOOK.encode()[:length]
    try:
        parse_look(raw, NONCE)
    except UnreadableLook:
        return
    assert raw.rstrip() == LOOK.encode().rstrip()


def test_a_look_that_is_too_large_is_refused() -> None:
    raw = sections({"kernel": b"x" * MAX_LOOK_BYTES})
    try:
        parse_look(raw, NONCE)
    except UnreadableLook as error:
        assert "more than a look can be" in error.reason
    else:
        raise AssertionError("two megabytes passed")


@quick
@given(anything, st.integers(1, 80))
def test_cleaned_text_is_short_and_has_no_control_characters(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit and no_control_characters(cleaned)


@quick
@given(anything)
def test_an_address_is_one_or_none(text: str) -> None:
    found = host_address(text)
    assert found is None or host_address(found.cidr) == found
