"""The script on this machine's kernel, in every shell that it must run in."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator

import pytest

from networks.measure import Heard, Place, measure_command, read_answer
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
