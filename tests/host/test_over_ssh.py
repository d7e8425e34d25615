"""The same over a real sshd, on the very NIC that moves."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from networks.host.answers import parse_answer
from networks.host.grammar import HostPlan
from tests.host import rig
from tests.host.rig import Result, Server, run

pytestmark = pytest.mark.netns


class Ssh:
    """A real sshd in the server's namespace and `ssh` in the panel's; root's home there is empty."""

    def __init__(self, server: Server) -> None:
        self.server = server
        root = server.root
        Path("/run/sshd").mkdir(exist_ok=True)
        (root / "home" / ".ssh").mkdir(parents=True)
        for name in ("host", "client"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / name))
        (root / "authorized").write_text((root / "client.pub").read_text())
        places = " ".join(f'{key}="{value}"' for key, value in server.environment().items())
        (root / "sshd_config").write_text(
            f"Port 22\nHostKey {root}/host\nAuthorizedKeysFile {root}/authorized\nStrictModes no\n"
            f"UsePAM no\nPermitRootLogin yes\nPidFile none\nSetEnv {places}\nAcceptEnv VNP_CRASH\n"
        )
        home = f"mount --bind {root}/home /root; exec /usr/sbin/sshd -D -e -f {root}/sshd_config"
        self.daemon = subprocess.Popen(
            ("ip", "netns", "exec", server.ns("s"), "unshare", "-m", "sh", "-c", home), stderr=subprocess.PIPE
        )
        for _ in range(100):
            if self("true").returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError("sshd did not come up")

    def argv(self, *command: str, options: tuple[str, ...] = ()) -> tuple[str, ...]:
        quiet = ("-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
        quiet += ("-o", "LogLevel=ERROR", "-o", "ConnectTimeout=3", "-i", str(self.server.root / "client"))
        quiet += ("-o", "KexAlgorithms=curve25519-sha256", "-o", "SendEnv=VNP_CRASH")
        inside = ("ip", "netns", "exec", self.server.ns("p"), "ssh", *quiet, *options)
        return (*inside, "root@10.77.0.11", *command)

    def __call__(
        self, *command: str, stdin: str = "", options: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        return run(*self.argv(*command, options=options), stdin=stdin, check=False)

    def script(self, *words: str, stdin: str = "", options: tuple[str, ...] = ()) -> Result:
        done = self("sh", str(self.server.script), *words, stdin=stdin, options=options)
        assert done.returncode != 255, done.stderr
        return Result(done.returncode, parse_answer(done.stdout.encode()), done.stdout)

    def close(self) -> None:
        self.daemon.kill()
        self.daemon.wait()


@pytest.fixture
def ssh(server: rig.Server) -> Iterator[Ssh]:
    ready = Ssh(server)
    yield ready
    ready.close()


def test_the_address_we_talk_to_moves_while_we_talk(server: Server, ssh: Ssh, move: HostPlan) -> None:
    held = ("-o", "ControlMaster=auto", "-o", f"ControlPath={server.root}/mux", "-o", "ControlPersist=60")
    ssh("true", options=held)
    talker = subprocess.Popen(
        ssh.argv("while :; do echo x; sleep 0.05; done"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    digest = ssh.script("plan", stdin=move.render()).answer.digest
    applied = ssh.script("apply", "t", "30", digest, stdin=move.render(), options=held)
    assert applied.state == "applied", applied.raw
    # The session that applied lives on, and holds none of the locks.
    assert run("flock", "-n", str(server.run_dir / "transaction.lock"), "true", check=False).returncode == 0
    same = ssh.script("confirm", "t", "1", options=held)
    assert same.code == 64 and "new SSH connection" in same.answer.get("error")
    assert ssh.script("confirm", "t", "1").code == 0
    time.sleep(0.25)
    assert ssh.script("confirm", "t", "2").state == "committed"
    assert talker.poll() is None, "the session held open broke"
    talker.kill()
    assert len(talker.communicate()[0]) > 20
    ssh("true", options=(*held, "-O", "exit"))
    server.quiet()


def test_a_default_route_lost_after_the_change_is_mended(server: Server, ssh: Ssh, move: HostPlan) -> None:
    before = server.state()
    digest = ssh.script("plan", stdin=move.render()).answer.digest
    assert ssh.script("apply", "t", "6", digest, stdin=move.render()).state == "applied"
    server.run("ip", "route", "del", "default")
    assert ssh("true").returncode == 255
    started = time.monotonic()
    while ssh("true").returncode == 255:
        assert time.monotonic() - started < 6 + 5 + 3
    server.quiet()
    assert server.state() == before
    assert ssh.script("status", "t").answer.get("reason") == "timeout"


def test_the_port_in_the_wrong_network_with_nobody_connected(
    server: Server, ssh: Ssh, move: HostPlan
) -> None:
    before = server.state()
    digest = ssh.script("plan", stdin=move.render()).answer.digest
    ssh.script("apply", "t", "3", digest, stdin=move.render())
    server.batch("link set p1 nomaster", "w")
    assert server.wait_for("t", "rolledback") == "rolledback"
    server.batch("link set p1 master sw", "w")
    server.quiet()
    assert server.state() == before and ssh("true").returncode == 0


@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 0.3, 0.6])
def test_ssh_dropped_while_it_applies(server: Server, ssh: Ssh, move: HostPlan, after: float) -> None:
    before = server.state()
    digest = ssh.script("plan", stdin=move.render()).answer.digest
    argv = ssh.argv("sh", str(server.script), "apply", "t", "20", digest)
    client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert client.stdin
    client.stdin.write(move.render().encode())
    client.stdin.close()
    time.sleep(0.25 + after)
    client.kill()
    client.wait()
    time.sleep(1)
    state = ssh.script("status", "t").state
    if state == "applied":  # it went on alone; a new connection may confirm
        assert ssh.script("confirm", "t", "1").code == 0
        time.sleep(0.25)
        assert ssh.script("confirm", "t", "2").state == "committed"
    else:
        ssh.script("recover")
        assert server.wait_for("t", "rolledback", "none") in ("rolledback", "none")
        assert server.state() == before
    server.quiet()
