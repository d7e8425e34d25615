"""Whatever is wrong with a server: a clear state with reason and time, soon, and nothing half-stored."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodes import observe
from nodes.choices import ServerState
from nodes.models import Adapter, Container, Credential, Look, PhysicalServer
from nodes.observe import pool
from nodes.ssh import make_key_pair
from tests.nodes.conftest import behind
from tests.sshd import PASSWORD, USER, Sshd

pytestmark = pytest.mark.django_db

Start = Callable[..., Sshd]


@pytest.fixture
def start(server: PhysicalServer) -> Iterator[Start]:
    """Starts an sshd of the given configuration and lets the server's rows lead to it."""
    started: list[Sshd] = []
    # Not under pytest's folder, which only root may enter: sshd reads a user's keys as that user.
    folder = Path(tempfile.mkdtemp(prefix="vnp-sshd-"))
    folder.chmod(0o755)

    def one(config: str = "", **more: object) -> Sshd:
        sshd = Sshd(folder / str(len(started)), config, **more)  # type: ignore[arg-type]
        sshd.start()
        started.append(sshd)
        behind(sshd, server)
        return sshd

    yield one
    for sshd in started:
        sshd.stop()
    pool().forget(str(server.pk))
    shutil.rmtree(folder)


@pytest.fixture
def openvz(tmp_path: Path) -> Path:
    """A tree with vzctl's files and stubs of its programs; returns the folder of conf files."""
    conf = tmp_path / "vz" / "conf"
    conf.mkdir(parents=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    stub(tools / "vzctl", "#!/bin/sh\n[ \"$1\" = --version ] && echo 'vzctl version 4.11.1'\n")
    stub(tools / "vzlist", "#!/bin/sh\nprintf '       101 stopped\\n'\n")
    (conf / "101.conf").write_text(
        'HOSTNAME="one"\nNETIF="ifname=eth0,mac=00:18:51:00:00:01,host_ifname=veth101.0"\n'
    )
    return conf


def stub(path: Path, text: str) -> None:
    """Write an executable file."""
    path.write_text(text)
    path.chmod(0o755)


def environment(openvz: Path) -> dict[str, str]:
    """What makes the probe use the stubs."""
    return {
        "PROBE_PATH": f"{openvz.parent.parent}/tools:/usr/sbin:/usr/bin:/sbin:/bin",
        "PROBE_VZ": str(openvz.parent),
    }


def state_after_look(server: PhysicalServer, within_s: float = 10) -> tuple[str, str]:
    """Look, and return state and reason; every failure must say why and when, and store nothing else."""
    started = time.monotonic()
    assert observe.observe(server.pk)
    assert time.monotonic() - started < within_s
    server.refresh_from_db()
    assert server.looked_at is not None and server.state_since is not None
    assert server.next_look_at is not None and server.look_claimed_until is None
    if server.state != ServerState.OK:
        assert server.state_reason
        assert not Look.objects.exists() and not Adapter.objects.exists() and not Container.objects.exists()
    return server.state, server.state_reason


def test_a_closed_port(start: Start, server: PhysicalServer) -> None:
    start().stop()
    state, reason = state_after_look(server)
    assert state == ServerState.UNREACHABLE and "refuses" in reason


def test_a_name_nobody_knows(start: Start, server: PhysicalServer) -> None:
    start()
    PhysicalServer.objects.update(address="no-such-host.invalid")
    assert state_after_look(server, 15)[0] == ServerState.UNREACHABLE


def test_a_refused_login(start: Start, server: PhysicalServer) -> None:
    sshd = start()
    Credential.objects.update(private_key="", password="")
    assert state_after_look(server)[0] == ServerState.LOGIN_REFUSED
    login = Credential.objects.get()
    login.private_key = make_key_pair("another").private
    login.save()
    state, reason = state_after_look(server)
    assert state == ServerState.LOGIN_REFUSED and reason
    assert sshd.commands == 0


def test_no_credential_at_all(start: Start, server: PhysicalServer) -> None:
    start()
    PhysicalServer.objects.update(credential=None)
    state, reason = state_after_look(server)
    assert state == ServerState.LOGIN_REFUSED and "credential" in reason


def test_a_password_login_works(start: Start, server: PhysicalServer) -> None:
    start("PasswordAuthentication yes")
    login = Credential.objects.get()
    login.private_key, login.password = "", PASSWORD
    login.save()
    assert state_after_look(server)[0] == ServerState.OK


def test_a_changed_host_key(start: Start, server: PhysicalServer) -> None:
    sshd = start()
    sshd.stop()
    sshd.make_host_keys("ed25519")
    sshd.start()
    assert state_after_look(server)[0] == ServerState.HOST_KEY_CHANGED
    assert sshd.logins == 0


def test_no_sudo(start: Start, server: PhysicalServer) -> None:
    start(sudoers="")
    Credential.objects.update(username=USER)
    PhysicalServer.objects.update(use_sudo=True)
    state, reason = state_after_look(server)
    assert state == ServerState.NO_SUDO and "sudo" in reason


def test_with_sudo(start: Start, server: PhysicalServer) -> None:
    sshd = start(sudoers=f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
    Credential.objects.update(username=USER)
    PhysicalServer.objects.update(use_sudo=True)
    assert state_after_look(server)[0] == ServerState.OK
    assert sshd.commands == 1


def test_a_probe_that_never_ends(
    start: Start, server: PhysicalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "LOOK_DEADLINE_S", 2.0)
    start("ForceCommand sleep 600")
    state, reason = state_after_look(server)
    assert state == ServerState.UNREADABLE and reason


def test_the_deadline_of_a_look_leaves_time_to_store_within_thirty_seconds() -> None:
    assert observe.LOOK_DEADLINE_S <= 25
    assert observe.CLAIM.total_seconds() > 30


def test_a_probe_that_prints_ten_megabytes(start: Start, server: PhysicalServer) -> None:
    start("ForceCommand head -c 10485760 /dev/zero")
    assert state_after_look(server)[0] == ServerState.UNREADABLE


def test_a_probe_that_prints_for_ever(start: Start, server: PhysicalServer) -> None:
    start("ForceCommand yes '<script>'")
    assert state_after_look(server)[0] == ServerState.UNREADABLE


@pytest.mark.parametrize(
    "command", ["true", "echo hello", "printf '\\377\\376\\033[31m'", "head -c 100000 /dev/urandom", "exit 3"]
)
def test_an_answer_that_is_none(start: Start, server: PhysicalServer, command: str) -> None:
    start(f"ForceCommand {command}")
    assert state_after_look(server)[0] == ServerState.UNREADABLE


def test_a_login_that_runs_no_command(start: Start, server: PhysicalServer) -> None:
    start("MaxSessions 0")
    state, reason = state_after_look(server)
    assert state == ServerState.LOGIN_REFUSED and "session" in reason


def test_a_server_without_any_tool(start: Start, server: PhysicalServer, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    start(env={"PROBE_PATH": str(tmp_path / "nothing")})
    state, reason = state_after_look(server)
    assert state in (ServerState.OK, ServerState.UNREADABLE)
    assert state == ServerState.OK or reason


def test_missing_vzctl_is_found_and_said(start: Start, server: PhysicalServer) -> None:
    start()
    assert state_after_look(server)[0] == ServerState.OK
    assert "vzctl_missing" in {finding["code"] for finding in Look.objects.get().findings}


def test_hostile_names_are_stored_as_text(start: Start, server: PhysicalServer, openvz: Path) -> None:
    (openvz / "102.conf").write_bytes(
        b'NAME="<script>alert(1)</script>"\nHOSTNAME="\xff\xfe\x1b[31mred"\nIP_ADDRESS="10.0.0.2 $(reboot)"\n'
    )
    start(env=environment(openvz))
    assert state_after_look(server)[0] == ServerState.OK
    row = Container.objects.get(ctid="102")
    assert row.name == "<script>alert(1)</script>"
    assert "\x1b" not in row.hostname and "\x00" not in row.hostname
    assert "$(reboot)" not in row.host_routed_text


def test_a_half_written_conf_file_leaves_the_others_whole(
    start: Start, server: PhysicalServer, openvz: Path
) -> None:
    (openvz / "102.conf").write_text('HOSTNAME="two"\nNETIF="ifname=eth0,mac=00:18:51:00')
    start(env=environment(openvz))
    assert state_after_look(server)[0] == ServerState.OK
    assert {"101", "102"} <= set(Container.objects.values_list("ctid", flat=True))
    assert Look.objects.get().findings
    assert Container.objects.get(ctid="101").interfaces.count() == 1


def test_a_broken_vzlist_is_a_finding(start: Start, server: PhysicalServer, openvz: Path) -> None:
    stub(openvz.parent.parent / "tools" / "vzlist", '#!/bin/sh\necho \'[{"ctid": 101, "na\'; exit 1\n')
    start(env=environment(openvz))
    assert state_after_look(server)[0] == ServerState.OK
    assert "vzlist_broken" in {finding["code"] for finding in Look.objects.get().findings}
    assert Container.objects.get(ctid="101").status == "unknown"


def test_a_server_that_dies_midway(start: Start, server: PhysicalServer) -> None:
    start("ForceCommand echo; kill -9 $PPID")
    state, reason = state_after_look(server)
    assert state in (ServerState.UNREACHABLE, ServerState.UNREADABLE) and reason
