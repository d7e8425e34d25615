"""The script on this machine's kernel, in every shell that it must run in."""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks.measure import Heard, Place, job_text, measure_command, measure_script, read_answer
from tests.measure.conftest import NONCE

pytestmark = pytest.mark.netns
SHELLS = (("dash",), ("busybox", "sh"), ("bash", "--posix"))


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def ctids() -> Iterator[tuple[str, str, str]]:
    """Two "containers" on one bridge, and a third on none: network namespaces with the names of CTIDs."""
    tail = str(uuid.uuid4().int)[:6]
    found = (f"71{tail}", f"72{tail}", f"73{tail}")
    hub = f"vm-{tail}"
    ip("netns", "add", hub)
    try:
        ip("-n", hub, "link", "add", "name", "brm", "type", "bridge", "stp_state", "0", "forward_delay", "0")
        ip("-n", hub, "link", "set", "brm", "up")
        for number, ctid in enumerate(found, 1):
            ip("netns", "add", ctid)
            ip("-n", hub, "link", "add", f"p{number}", "type", "veth", "peer", "name", "eth0", "netns", ctid)
            ip("-n", ctid, "addr", "add", f"10.9.9.{number}/24", "dev", "eth0")
            ip("-n", ctid, "link", "set", "eth0", "up")
            ip("-n", hub, "link", "set", f"p{number}", "up")
            if number < 3:
                ip("-n", hub, "link", "set", f"p{number}", "master", "brm")
        yield found
    finally:
        for name in (*found, hub):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def run(shell: tuple[str, ...], *places: Place) -> dict[str, Heard]:
    command = measure_command(NONCE, places)
    done = subprocess.run([*shell, *command.argv[1:]], input=command.stdin, capture_output=True, timeout=60)
    assert done.stderr == b""
    return read_answer(done.stdout, NONCE)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_it_tells_who_answers_and_who_does_not(shell: tuple[str, ...], ctids: tuple[str, str, str]) -> None:
    first, second, third = ctids
    heard = run(
        shell,
        Place(first, ("10.9.9.2", "10.9.9.3"), (("", "10.9.9.2"), ("", "10.9.9.3"))),
        Place(second, ("10.9.9.1",)),
        Place("799999", ("10.9.9.1",)),
    )
    assert heard[first].pings == {"10.9.9.2": True, "10.9.9.3": False}
    (mac,) = heard[second].macs
    assert heard[first].arps == {("eth0", "10.9.9.2"): mac, ("eth0", "10.9.9.3"): ""}
    assert heard[second].pings == {"10.9.9.1": True}
    # No namespace of that name and no vzctl here: nothing is known, and nothing is told as a no.
    assert heard["799999"].missing == {"ping", "arping"} and heard["799999"].pings == {}
    assert third not in heard


def test_it_says_which_tool_is_missing(ctids: tuple[str, str, str], tmp_path) -> None:  # type: ignore[no-untyped-def]
    for tool in ("ip", "sh", "head", "timeout", "ping", "cat", "sleep", "env"):
        where = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / tool).symlink_to(where)
    command = measure_command(NONCE, (Place(ctids[0], ("10.9.9.2",), (("", "10.9.9.2"),)),))
    done = subprocess.run(
        ["dash", *command.argv[1:]],
        input=command.stdin,
        capture_output=True,
        timeout=60,
        env={"MEASURE_PATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    heard = read_answer(done.stdout, NONCE)[ctids[0]]
    assert heard.missing == {"arping"} and heard.arps == {} and heard.pings == {"10.9.9.2": True}


def program(shell: tuple[str, ...], text: bytes, **env: str) -> subprocess.CompletedProcess[bytes]:
    """The same text as a program, which reads what is asked of it from its standard input."""
    argv = [*shell, "-c", measure_script(), "measure", "-"]
    more = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | env
    return subprocess.run(argv, input=text, capture_output=True, timeout=60, env=more, check=False)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_as_a_program_it_reads_the_jobs(shell: tuple[str, ...], ctids: tuple[str, str, str]) -> None:
    first = ctids[0]
    jobs = job_text((Place(first, ("10.9.9.2",), (("eth0", "10.9.9.2"),)),))
    done = program(shell, f"{NONCE}\n".encode() + jobs)
    heard = read_answer(done.stdout, NONCE)
    assert heard[first].pings == {"10.9.9.2": True} and heard[first].arps[("eth0", "10.9.9.2")]


BAD_JOBS = (
    "ct 101;touch$IFS@ ping=10.9.9.1",
    "ct 101 ping=10.9.9.1;touch @",
    "ct 101 ping=$(touch${IFS}@)",
    "ct 101 ping=-c1",
    "ct -1 ping=10.9.9.1",
    "ct ../../x ping=10.9.9.1",
    "server - ping=`touch @`",
    "server - arp=-I,10.9.9.1",
    "server - arp=$(touch${IFS}@),10.9.9.1",
    "server - x=/*",
    "server - /*",
    "witness eth0;touch$IFS@,5,169.254.1.1/16 1",
    "witness eth0,5,169.254.1.1/16 $(touch${IFS}@)",
    "witness eth0,4095,169.254.1.1/16 1",
    "witness eth0,5,169.254.1.1/16 31",
    "witness eth0,5,10.0.0.1/24 30",
    "witness eth0,5,169.254.1.1/1 30",
    "witness eth0,5,fe80::1/64 30",
    "witness eth0,5,169.254.1.1/16 1 1",
    "$(touch @)",
    "\x1b]0;x\x07 - ping=10.9.9.1",
)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_as_a_program_it_runs_nothing_that_is_no_job(shell: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    owned = tmp_path / "owned"
    for tool in ("ip", "vzctl", "ping", "arping"):  # whatever is run, leaves a trace
        (tmp_path / "bin" / tool).write_text(f"#!/bin/sh\necho {tool} >>{tmp_path}/ran\n")
        (tmp_path / "bin" / tool).chmod(0o755)
    lines = "\n".join(BAD_JOBS).replace("@", str(owned))
    done = program(
        shell,
        f"{NONCE}\n{lines}\n".encode() + b"\xff\x00 - ping=10.9.9.1\nct 1\0;2 ping=1.1.1.1;2\n",
        MEASURE_PATH=f"{tmp_path}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    )
    assert done.stdout == f"@{NONCE} done\n".encode()
    assert not owned.exists() and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("first", [b"", b"\n", b"$(id)\n", b"a b\n", b"../x\n"])
def test_as_a_program_it_wants_a_nonce(first: bytes) -> None:
    done = program(("dash",), first + b"server - ping=127.0.0.1\n")
    assert done.returncode == 64 and done.stdout == b""


NEAR = ("ct 101 ping=10.9.9.1 arp=eth0,10.9.9.2", "server - ping=fd00::1", "witness eth0,5,169.254.1.1/16 1")
mutated = st.tuples(
    st.sampled_from((*NEAR, *BAD_JOBS)),
    st.integers(0, 40),
    st.text("a1;$`'\"\\*?|&<>(){}! \t\x00\x1b-./,=@é", max_size=4),
).map(lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :])
HARMLESS = {
    "V": r"[0-9A-Fa-f][0-9A-Fa-f-]{0,35}",
    "S": r"set -- [0-9A-Za-z=:.,_ -]*; ",
    "W": r"[0-9A-Za-z:._/-]+",
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SHELLS), st.lists(mutated, min_size=1, max_size=6))
def test_whatever_is_asked_only_addresses_and_names_reach_a_tool(
    shell: tuple[str, ...], lines: list[str]
) -> None:
    with TemporaryDirectory() as name:
        place = Path(name)
        owned, ran = place / "owned", place / "ran"
        for tool in ("ip", "ping", "ping6", "arping", "sleep"):
            (place / tool).write_text(f'#!/bin/sh\nfor word; do echo "W $word"; done >>{ran}\n')
        words = f'echo "V $2" >>{ran}; printf "S %s\\n" "$3" | head -n 1 >>{ran}'
        (place / "vzctl").write_text(f"#!/bin/sh\n{words}\n")
        for tool in place.iterdir():
            tool.chmod(0o755)
        text = "\n".join(lines).replace("@", str(owned)).encode()
        program(shell, f"{NONCE}\n".encode() + text, MEASURE_PATH=f"{place}:/usr/sbin:/usr/bin:/sbin:/bin")
        assert not owned.exists()
        for line in ran.read_text().splitlines() if ran.exists() else ():
            kind, _, word = line.partition(" ")
            assert re.fullmatch(HARMLESS[kind], word), line
