"""Answers of the script are read strictly and never grow beyond bounds."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.host.answers import MAX_TEXT, BadAnswer, Command, Note, Saved, parse_answer

PLANNED = b"""path=guarded
empty=no
warn mtu veth101.0 has MTU 1400 and vn-a has 1500
refuse dhcp eth0 has the dynamic address 10.0.0.5/24
digest=%s
prologue ip link add name vn-a type bridge
critical ip link set dev eth0 master vn-a
saved 101 eth0 differs container 101 has no interface eth0
saved 102 eth0 ok
done=69
""" % (b"a1" * 32)


def test_it_reads_every_kind_of_line() -> None:
    answer = parse_answer(PLANNED)
    assert answer.is_guarded and answer.digest == "a1" * 32 and answer.get("done") == "69"
    assert answer.warnings == (Note("mtu", "veth101.0 has MTU 1400 and vn-a has 1500"),)
    assert answer.refusals[0].code == "dhcp"
    assert answer.commands[1] == Command("critical", "ip link set dev eth0 master vn-a")
    assert answer.saved == (
        Saved("101", "eth0", False, "container 101 has no interface eth0"),
        Saved("102", "eth0", True),
    )


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_cut_answer_is_refused(cut: int) -> None:
    with pytest.raises(BadAnswer):
        parse_answer(PLANNED[:-cut])


@pytest.mark.parametrize(
    "line", ["state=a\nstate=b", "Permission denied", "digest=xyz", "warn", "saved 1", "=x", "../x=1"]
)
def test_lines_out_of_form_are_refused(line: str) -> None:
    with pytest.raises(BadAnswer):
        parse_answer(f"{line}\ndone=0\n".encode())


def test_control_characters_and_length_are_cut() -> None:
    answer = parse_answer(b"error=\x1b[31m\x00" + b"x" * 5000 + b"\xff\ndone=1\n")
    assert len(answer.get("error")) <= MAX_TEXT and "\x1b" not in answer.get("error")


@given(st.binary(max_size=400))
def test_it_never_raises_anything_else(raw: bytes) -> None:
    for text in (raw, raw + b"\ndone=0\n"):
        with contextlib.suppress(BadAnswer):
            parse_answer(text)
