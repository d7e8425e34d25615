"""The joined script: one text, clean, the same in every shell, and lean."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from networks.host import installation, script_digest, script_path, transaction_script
from networks.host.grammar import Bridge, HostPlan, KeepBridge, Port
from tests.host import rig

SHELLS = (("dash",), ("busybox", "sh"), ("bash", "--posix"))
# SC2016: awk programs are in single quotes on purpose.
SHELLCHECK = (str(Path(sys.executable).parent / "shellcheck"), "-s", "sh", "-e", "SC2016")


def test_shellcheck_finds_nothing() -> None:
    done = subprocess.run([*SHELLCHECK, "-"], input=transaction_script(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    hook = Path("networks/host/vznet-hook.sh")
    assert subprocess.run([*SHELLCHECK, str(hook)], capture_output=True).returncode == 0


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_every_shell_reads_it(shell: tuple[str, ...]) -> None:
    done = subprocess.run([*shell, "-n"], input=transaction_script(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_sent_whole_or_not_at_all(tmp_path: Path) -> None:
    argv, stdin = installation()
    assert hashlib.sha256(stdin).hexdigest() == script_digest() and script_digest()[:16] in script_path()
    place = tmp_path / "lib" / "transaction.sh"
    there = [str(place) if word == script_path() else word for word in argv]
    for _ in range(2):
        assert subprocess.run(there, input=stdin).returncode == 0
        assert place.read_bytes() == stdin and place.stat().st_mode & 0o777 == 0o700
    place.unlink()
    assert subprocess.run(there, input=stdin[:-1]).returncode == 74
    assert not place.exists()


def test_it_can_be_sent_by_many_at_once(tmp_path: Path) -> None:
    argv, stdin = installation()
    place = tmp_path / "lib" / "transaction.sh"
    there = [str(place) if word == script_path() else word for word in argv]
    senders = [subprocess.Popen(there, stdin=subprocess.PIPE) for _ in range(12)]
    for sender in senders:
        assert sender.stdin
        sender.stdin.write(stdin[:-100])
        sender.stdin.flush()
    for sender in senders:
        sender.communicate(stdin[-100:])
    assert [sender.returncode for sender in senders] == [0] * 12
    assert place.read_bytes() == stdin and list(place.parent.iterdir()) == [place]


def test_nothing_of_an_argument_is_run(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(transaction_script())
    for words in (["apply", "$(touch x)", "15", "d"], ["apply", "a;touch x", "15", "d"], ["status", "../x"]):
        env = {"VNP_RUN": str(tmp_path / "r"), "VNP_ETC": str(tmp_path / "e"), "VNP_LIB": str(tmp_path / "l")}
        done = subprocess.run(["sh", script, *words], capture_output=True, text=True, env=env, cwd=tmp_path)
        assert done.returncode == 64 and "not a transaction id" in done.stdout
    assert not (tmp_path / "x").exists()


@pytest.mark.netns
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_every_shell_does_the_same(shell: tuple[str, ...], move: HostPlan) -> None:
    with rig.server(shell) as server:
        before = server.state()
        plan = server.plan(move)
        assert plan.code == 0 and re.search(r"critical ip addr del 10\.77\.0\.11/24 dev eth0", plan.raw)
        assert server.apply("moves", move).state == "applied"
        assert server.reaches("10.77.0.11")
        assert server.call("abort", "moves", check=True).state == "rolledback"
        server.quiet()
        assert server.state() == before
        assert server.apply("fails", move, VNP_BAD_LINE="9").code == 76
        server.quiet()
        assert server.state() == before
        local = HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))
        assert server.apply("local", local).state == "committed"


@pytest.mark.netns
def test_the_short_path_takes_at_most_17_forks(server: rig.Server) -> None:
    """Counted as the process ids used in a pid namespace of its own: every fork counts, subshells too."""
    veth = server.add_guest(101, "10.77.5.1/24")
    plan = HostPlan((Bridge("vn-c"), Port(veth, "vn-c")), (KeepBridge("vn-c"),))
    digest = server.plan(plan).answer.digest
    text = server.root / "plan"
    text.write_text(plan.render())
    program = f"sh {server.script} apply t1 15 {digest} <{text} >{server.root}/answer; sh -c 'echo $$'"
    env = server.environment() | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    words = (
        "ip",
        "netns",
        "exec",
        server.ns("s"),
        "unshare",
        "-p",
        "-f",
        "--mount-proc",
        "sh",
        "-c",
        program,
    )
    done = subprocess.run(words, capture_output=True, text=True, env=env)
    assert "state=committed" in (server.root / "answer").read_text(), done
    forks = int(done.stdout) - 2  # the outer sh is 1, the one that counts comes last
    print(f"{forks} forks on the short path")
    assert forks <= 17


def test_the_awk_programs_suit_old_awks() -> None:
    """mawk of Debian 12 knows no {n,m}; gawk of EL6 wants --posix for it."""
    for path in Path("networks/host").glob("*.awk"):
        text = path.read_text()
        assert not re.search(r"/[^/\n]*\{\d[^/\n]*/", text), path
        assert "gensub" not in text and "systime" not in text
    assert shutil.which("awk")
