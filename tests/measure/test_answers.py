"""What servers say is read strictly, and what cannot be told is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.measure import BadMeasure, Heard, Place, Witness, job_lines, measure_command, read_answer
from tests.measure.conftest import NONCE

ANSWERS = Path(__file__).parent / "answers"


def read(name: str) -> dict[str, Heard]:
    return read_answer((ANSWERS / f"{name}.txt").read_bytes(), NONCE)


def test_an_answer_of_the_labs_server_2_is_read() -> None:
    heard = read("lab-server2")
    assert set(heard) == {"", "201", "202", "203"}
    assert heard["202"].pings == {"10.77.0.201": True, "10.77.0.203": False}
    assert heard["202"].arps == {
        ("eth0", "10.77.0.201"): "00:18:51:5f:1c:a7",
        ("eth0", "10.77.0.203"): "",
    }
    assert heard["202"].macs == {"00:18:51:ab:0c:21"}


def test_a_place_without_tools_says_so_and_a_hostile_guest_is_passed_over() -> None:
    heard = read("hostile")
    assert heard["102"].missing == {"arping"} and heard["103"].missing == {"ping", "arping"}
    assert heard["102"].pings == {"10.77.0.103": True}
    assert heard["102"].arps == {("eth0", "10.77.0.1"): None}
    assert "999" not in heard


@pytest.mark.parametrize("output", [b"", b"sh: not found\n", f"@{NONCE} - mac eth0 x\n".encode()])
def test_an_answer_that_was_cut_off_is_none(output: bytes) -> None:
    with pytest.raises(BadMeasure):
        read_answer(output, NONCE)


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(noise: bytes) -> None:
    heard = read_answer(noise + f"\n@{NONCE} done\n".encode(), NONCE)
    assert isinstance(heard, dict)


@pytest.mark.parametrize(
    "place",
    [
        Place("1; reboot", ("10.0.0.1",)),
        Place("101", ("$(reboot)",)),
        Place("101", ("10.0.0.1 ping=x",)),
        Place("", (), (("eth0;x", "10.0.0.1"),)),
        Place("", (), (("-I", "10.0.0.1"),)),
        Place("101", ("fe80::1%eth0;x",)),
    ],
)
def test_only_addresses_links_and_ctids_become_jobs(place: Place) -> None:
    with pytest.raises(ValueError):
        job_lines((place,))


def test_jobs_are_words_and_bounded() -> None:
    many = tuple(f"10.0.{n}.1" for n in range(200))
    (line,) = job_lines((Place("101", many, tuple(("", a) for a in many)),))
    assert line.startswith("ct 101 ping=10.0.0.1 ping=10.0.1.1")
    assert line.count("ping=") == line.count("arp=") == 64
    (witness,) = job_lines((), (Witness("eth0", 100, "169.254.96.100/16"),))
    assert witness == "witness eth0,100,169.254.96.100/16 12"
    with pytest.raises(ValueError):
        job_lines((), (Witness("eth0", 4095, "169.254.96.100/16"),))


def test_the_command_is_one_exec_and_carries_its_jobs() -> None:
    command = measure_command(NONCE, (Place("101", ("10.0.0.1",)),))
    assert command.argv == ("sh", "-s", NONCE)
    assert b"\nct 101 ping=10.0.0.1\nJOBS\n" in command.stdin
    with pytest.raises(ValueError):
        measure_command("x; y", ())
