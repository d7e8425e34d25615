"""The two halves of the grammar, Python here and awk on the server, accept and refuse the same texts."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks.host import transaction_script
from networks.host.grammar import (
    Adopt,
    BadPlan,
    Bridge,
    HostPlan,
    IpAdd,
    IpDel,
    KeepBridge,
    KeepVlan,
    NetifAdd,
    NetifDel,
    Place,
    Port,
    RemoveBridge,
    RemoveVlan,
    Save,
    Vlan,
    parse_plan,
)

AWKS = (("awk",), ("busybox", "awk"))
EXAMPLE = HostPlan(
    (
        Vlan("eth0.100", "eth0", 100),
        Bridge("vn-d", "eth0.100"),
        Bridge("vn-c"),
        Adopt("br0", "eth0"),
        Port("veth101.0", "vn-c"),
        Port("veth102.0"),
        RemoveBridge("vn-x", "eth1"),
        RemoveBridge("vn-y"),
        RemoveVlan("eth0.7"),
    ),
    (
        KeepVlan("eth0.100", "eth0", 100),
        KeepBridge("vn-d", "eth0.100"),
        KeepBridge("vn-c"),
        KeepBridge("br0", "eth0", adopted=True),
    ),
    (
        Save("4", "101", "eth0", "veth101.0", "vn-c"),
        Save("7", "0f1e2d3c-0000-4000-8000-00112233aabb", "eth1", "veth42f0c1aa"),
        Place("4", "103", "eth1", "vn-c"),
        Place("7", "0f1e2d3c-0000-4000-8000-00112233aabb", "eth3"),
    ),
    (
        NetifAdd("4", "101", "eth1", "00:18:51:aa:bb:cc", "veth101.1", "vn-c"),
        NetifAdd("7", "0f1e2d3c-0000-4000-8000-00112233aabb", "eth2"),
        NetifDel("4", "102", "eth1"),
        IpAdd("7", "0f1e2d3c-0000-4000-8000-00112233aabb", "eth2", "10.77.0.5/24"),
        IpAdd("4", "101", "eth1", "fd77::5/64"),
        IpDel("4", "101", "venet0", "10.77.0.101/32"),
    ),
)


def plan_awk() -> str:
    text = transaction_script()
    start = text.index("AWK_PLAN='") + len("AWK_PLAN='")
    return text[start : text.index("'", start)] + "END { for (i = 1; i in text; i++) print text[i] }"


def accepted_by_the_server(raw: bytes, awk: tuple[str, ...] = ("awk",)) -> bool:
    """As compose in the script: awk judges the plan; here it prints it back as well."""
    done = subprocess.run(
        [*awk, plan_awk()], input=raw, capture_output=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    )
    assert done.returncode in (0, 64), done
    assert not done.stderr
    if done.returncode:
        assert done.stdout.startswith(b"error=line ") and done.stdout.count(b"\n") == 1, done.stdout
    elif b"\0" in raw:
        # For busybox it ends the line; what is printed, and only that is used, is a good plan all the same.
        assert "busybox" in awk[0] and accepted_here(done.stdout)
        return False
    else:
        assert done.stdout.removesuffix(b"\n") == raw.removesuffix(b"\n")
    return done.returncode == 0


def accepted_here(raw: bytes) -> bool:
    try:
        parse_plan(raw)
    except BadPlan:
        return False
    return True


words = st.sampled_from(
    "step keep save place vlan bridge adopt adopted port rmbridge rmvlan end - 4 7 0 1 010 4094 4095 101 "
    "eth0 eth1 "
    "eth0.100 vn-a vn-b vn-none veth101.0 veth102.0 lo all default . .. -x a;reboot $(id) sixteen-letters- "
    "0f1e2d3c-0000-4000-8000-00112233aabb 0f1e2d3c0000-4000-8000-00112233aabb- "
    "netif_add netif_del ipadd ipdel 00:18:51:aa:bb:cc 01:18:51:aa:bb:cc 10.77.0.5/24 10.77.0.5 "
    "10.77.0.05/24 fd77::5/64 ::ffff:1.2.3.4/96 x/1".split()
)
lines = st.lists(words, min_size=1, max_size=7).map(" ".join)
mended = st.sampled_from(
    [" ".join(item.words()) for item in (*EXAMPLE.steps, *EXAMPLE.keeps, *EXAMPLE.saves, *EXAMPLE.errands)]
)


@st.composite
def nearly_plans(draw: st.DrawFn) -> bytes:
    """Good plans with something wrong in them, more often than not."""
    chosen = draw(st.lists(st.one_of(mended, mended, mended, lines), max_size=8, unique=draw(st.booleans())))
    rank = {"step": 0, "keep": 1, "save": 2, "place": 2}
    if draw(st.booleans()):
        chosen.sort(key=lambda line: rank.get(line.split()[0], 3))
    text = "\n".join(["vnetpanel-plan 1", *chosen, "end"]) + "\n"
    raw = text.encode()
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(raw)))
        junk = draw(st.sampled_from([b"\0", b"\r", b" ", b"\n", b"\xc3\xa9", b"\x1b[2J", b"x", b""]))
        raw = raw[:at] + junk + raw[at + draw(st.integers(0, 2)) :]
    return raw


@given(nearly_plans(), st.sampled_from(AWKS))
@settings(max_examples=250, deadline=None)
def test_both_halves_of_the_grammar_agree(raw: bytes, awk: tuple[str, ...]) -> None:
    assert accepted_by_the_server(raw, awk) == accepted_here(raw)


@given(st.permutations(EXAMPLE.steps), st.sets(st.sampled_from(EXAMPLE.saves)))
@settings(max_examples=40, deadline=None)
def test_what_is_rendered_is_accepted_and_reads_back(steps: list[object], saves: set[Save | Place]) -> None:
    plan = HostPlan(tuple(steps), EXAMPLE.keeps, tuple(saves), EXAMPLE.errands[2:])  # type: ignore[arg-type]
    raw = plan.render().encode()
    assert parse_plan(raw) == plan
    assert accepted_by_the_server(raw)


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
@pytest.mark.parametrize(
    "line",
    [
        "step rmvlan a;reboot",
        "step rmvlan $(id)",
        "step rmvlan sixteen-letters-",
        "step rmvlan ..",
        "step rmvlan -x",
        "step rmvlan é",
        "step rmvlan eth0\0.5",
        "step vlan eth0.0 eth0 0\nkeep vlan eth0.0 eth0 0",
        "step vlan eth0.4095 eth0 4095\nkeep vlan eth0.4095 eth0 4095",
        "step vlan eth0.10 eth0 010\nkeep vlan eth0.10 eth0 010",
        "keep vlan a eth0 1\nkeep vlan b a 2",
        "keep bridge vn-a eth0\nkeep bridge vn-b eth0",
        "keep bridge vn-a vn-b\nkeep bridge vn-b -",
        "keep vlan a eth0 1\nkeep vlan b eth0 1",
        "step bridge vn-a vn-a\nkeep bridge vn-a vn-a",
        "step bridge vn-none -\nkeep bridge vn-none -",
        "step bridge vn-a eth0",
        "step rmbridge vn-a\nkeep bridge vn-a -",
        "step port eth0 vn-a\nkeep bridge vn-a eth0",
        "keep bridge vn-a -\nstep port veth1.0 vn-a",
        "save 4 0f1e2d3c-0000-4000-8000-00112233aabb eth0 veth1.0 -",
        "save 4 101 eth0 veth101.0 -\nsave 4 101 eth0 veth101.0 vn-a",
        "save 5 101 eth0 veth101.0 -",
        "place 4 101 eth0 vn-none",
        "place 4 101 eth0 veth101.0 -",
        "place 4 101 eth1 -\nnetif_add 4 101 eth1 - - -",
        "save 4 101 eth0 veth101.0 -\nplace 4 101 eth0 -",
        "netif_add 4 101 eth1 - veth101.1",
        "netif_add 4 101 eth1 00:18:51:AA:bb:cc veth101.1 -",
        "netif_add 4 101 eth1 01:18:51:aa:bb:cc veth101.1 -",
        "netif_add 4 101 eth1 - - vn-none",
        "netif_add 4 101 eth1,x - - -",
        "netif_add 4 101 eth1 - - -\nnetif_del 4 101 eth1",
        "save 4 101 eth0 veth101.0 -\nnetif_del 4 101 eth0",
        "netif_del 4 101 all",
        "netif_del 5 101 eth1",
        "ipadd 4 101 eth1 10.77.0.5",
        "ipadd 4 101 eth1 10.77.0.5;id/24",
        "ipadd 4 101 eth1 $(id)/24",
        "ipadd 4 101 eth1 010.77.0.5/24",
        "ipadd 4 101 eth1 10.77.0/24",
        "ipadd 4 101 eth1 FD77::5/64",
        "ipadd 4 101 eth1 fd77::5%eth0/64",
        "ipadd 4 101 eth1 10.77.0.5/24\nipdel 4 101 eth1 10.77.0.5/24",
        "netif_del 4 101 eth1\nsave 4 102 eth0 veth102.0 -",
        "step  rmvlan eth0.5",
        "step rmvlan eth0.5 ",
        "step rmvlan eth0.5\r",
        "# a comment",
        "end",
    ],
)
def test_bad_plans_are_refused_on_both_sides(line: str, awk: tuple[str, ...]) -> None:
    raw = f"vnetpanel-plan 1\n{line}\nend\n".encode()
    assert not accepted_here(raw)
    assert not accepted_by_the_server(raw, awk)


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_a_plan_cut_anywhere_is_refused(awk: tuple[str, ...]) -> None:
    raw = EXAMPLE.render().encode()
    for at in {*range(0, len(raw) - 1, 23), len(raw) - 3, len(raw) - 2}:
        assert not accepted_here(raw[:at])
        assert not accepted_by_the_server(raw[:at], awk)


def test_the_refusal_names_line_and_field() -> None:
    with pytest.raises(BadPlan) as refusal:
        parse_plan(b"vnetpanel-plan 1\nkeep bridge vn-a -\nkeep vlan eth0.5 eth0 5000\nend\n")
    assert (refusal.value.line, refusal.value.field) == (3, "VID")
    with pytest.raises(BadPlan, match="does not agree"):
        HostPlan((Bridge("vn-a", "eth0"),)).render()


def test_an_endless_plan_is_refused_on_both_sides() -> None:
    raw = b"vnetpanel-plan 1\n" + b"".join(b"keep bridge vn-%d -\n" % n for n in range(4000)) + b"end\n"
    assert not accepted_here(raw)
    assert not accepted_by_the_server(raw)
