"""A look in the same exec as another command, by every shell that servers have."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from nodes.commands import Command
from nodes.probe import AndLook, and_look, new_nonce, parted
from nodes.probe_output import UnreadableLook, parse_look
from tests.facts.conftest import NONCE, Server

pytestmark = pytest.mark.netns


@pytest.fixture(params=["dash", "busybox", "bash"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A PATH on which `sh` is that shell."""
    found = shutil.which(request.param)
    assert found is not None
    (tmp_path / "sh").symlink_to(found)
    return f"{tmp_path}:{os.environ['PATH']}"


def run(
    server: Server,
    path: str,
    program: str,
    look_s: int = 60,
    tools: Path | None = None,
    known: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[bytes]:
    command = and_look(Command(("sh", "-c", program)), NONCE, look_s, known)
    env = {
        "PROBE_VZ": str(server.tree / "vz"),
        "PROBE_ETC": str(server.tree / "etc"),
        "PROBE_RUN": str(server.tree / "run"),
        "PROBE_PATH": f"{tools or server.tree / 'bin'}:{os.defpath}:/usr/sbin:/sbin",
        "PATH": path,
    }
    words = ["ip", "netns", "exec", server.name, *command.argv]
    return subprocess.run(words, input=command.stdin, capture_output=True, env=env, timeout=60)


def both(done: subprocess.CompletedProcess[bytes]) -> AndLook:
    found = parted(done.stdout, NONCE)
    assert found is not None, done
    return found


def test_it_brings_both_answers(server: Server, path: str) -> None:
    done = run(server, path, "echo state=committed; echo done=0")
    found = both(done)
    assert done.returncode == 0 and found.before == b"state=committed\ndone=0\n"
    assert parse_look(found.look, NONCE).link("br0")


def test_what_is_known_of_the_server_is_not_asked_again(server: Server, path: str) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    found = both(run(server, path, "true", known=(boot, "ip-version", "vzctl-version")))
    assert found.look.count(f"@{NONCE} same ".encode()) == 2
    found = both(run(server, path, "true", known=("another", "ip-version", "vzctl-version")))
    assert f"@{NONCE} same ".encode() not in found.look and parse_look(found.look, NONCE).link("br0")


def test_a_line_like_ours_at_the_end_of_what_it_printed_hides_nothing(server: Server, path: str) -> None:
    found = both(run(server, path, f"printf 'done=0\\n@{'ab' * 8} after 1.0 2.0'"))
    assert found.before.startswith(b"done=0\n") and parse_look(found.look, NONCE).link("br0")


def test_after_a_command_that_failed_nobody_looks(server: Server, path: str) -> None:
    done = run(server, path, "echo done=77; exit 77")
    assert (done.returncode, done.stdout) == (77, b"done=77\n")
    assert parted(done.stdout, NONCE) is None


def test_the_command_does_not_eat_the_probe(server: Server, path: str) -> None:
    assert both(run(server, path, "cat; echo done=0")).before == b"done=0\n"


def test_its_time_counts_neither_as_a_slow_shell_nor_as_the_look_s(server: Server, path: str) -> None:
    found = both(run(server, path, "sleep 0.5; echo done=0"))
    assert 0.4 < found.look_after_s < 5
    quick = parse_look(found.look, NONCE).true_ms
    assert quick is None or quick < 400


def test_a_look_that_hangs_does_not_keep_the_answer(server: Server, path: str, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "vzctl").write_text("#!/bin/sh\nexec sleep 30\n")
    (tools / "vzctl").chmod(0o755)
    began = time.monotonic()
    found = both(run(server, path, "echo done=0", 2, tools))
    assert time.monotonic() - began < 20
    assert found.before == b"done=0\n"
    with pytest.raises(UnreadableLook, match="cut off"):
        parse_look(found.look, NONCE)


def test_nothing_but_its_own_nonce_parts_the_answers() -> None:
    other = f"\n@{new_nonce()} after 1.00 2.00\n"
    said = f"state=committed{other}\n@{NONCE} after 1 2\n@{NONCE} after x y\ndone=0\n"
    assert parted(said.encode(), NONCE) is None
    assert parted(f"{said}\n@{NONCE} after 5.00 4.00\nrest".encode(), NONCE) == AndLook(
        said.encode(), b"rest", 0.0
    )
