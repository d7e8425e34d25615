"""What the dedicated key can do on a server that was prepared, tried against a real sshd and a real sudo."""

from __future__ import annotations

import contextlib
import shlex
import socket

import paramiko
import pytest

from networks import gate
from nodes import remembered
from nodes.commands import Command
from nodes.gate import OtherPrograms, gate_command, require_gate
from nodes.probe_output import parse_look
from nodes.ssh.errors import CommandRefused, LoginRefused
from nodes.ssh.keys import login_key
from tests.gate.conftest import HERE, Machine

NONCE = "00112233445566778899aabbccddeeff"
FOLDER = "/usr/local/lib/vnetpanel"


def connect(machine: Machine, source: str = HERE) -> paramiko.Transport:
    """A connection of the dedicated user, without anything of the panel's around it."""
    sock = socket.create_connection((machine.address, machine.port), 10, (source, 0))
    transport = paramiko.Transport(sock)
    transport.start_client(timeout=10)
    transport.auth_publickey("vnetpanel", login_key(machine.panel.private))
    return transport


def as_user(machine: Machine, script: str) -> tuple[int, str]:
    """What the user could do if somebody got a shell of his in spite of it all."""
    done = machine.root(f"su -s /bin/sh vnetpanel -c {shlex.quote(script)} 2>&1")
    return done.exit_status, done.stdout.decode()


def test_a_look_goes_through_and_names_the_version(machine: Machine) -> None:
    done = machine.ask("probe", stdin=f"{NONCE}\n".encode())
    facts = parse_look(done.stdout, NONCE)
    assert facts.programs == gate.version() and facts.panel_address == HERE
    assert facts.management_address == machine.address and facts.links


def test_the_version_of_its_programs_is_not_taken_for_that_of_ip(machine: Machine) -> None:
    answer = machine.ask("probe", stdin=f"{NONCE}\n".encode()).stdout
    facts = parse_look(answer, NONCE)
    said = machine.root("ip -V").stdout.decode()
    assert "ip_json" in facts.capabilities and f"iproute2-{facts.tools['ip']}" in said
    known = remembered.completed(0, answer, NONCE, None) and remembered.known_of(0)
    remembered.forget_all()
    assert known and "ip-version" in known.words


def test_the_script_and_the_measurement_go_through(machine: Machine) -> None:
    command = gate.transaction_command("status")
    assert b"committed=\n" in machine.pool.run(machine.prepared, command).stdout
    command = gate.transaction_command("plan", stdin="nonsense")
    assert machine.pool.run(machine.prepared, command).exit_status == 64
    done = machine.ask("measure", stdin=f"{NONCE}\nserver - ping=127.0.0.1\n".encode())
    assert f"@{NONCE} - ping 127.0.0.1 yes".encode() in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("id",),
        ("sh", "-c", "id"),
        ("probe;id",),
        ("probe\nid",),
        ("probe", "x"),
        ("$(id)",),
        ("transaction", "plan", "0" * 16),
        ("transaction", "boot"),
        ("scp", "-t", "/tmp"),
        ("/usr/lib/openssh/sftp-server",),
        ("sudo", "-n", "id"),
        ("x" * 30_000,),
    ],
    ids=lambda words: words[0][:20],
)
def test_nothing_else_is_run(machine: Machine, words: tuple[str, ...]) -> None:
    done = machine.ask(*words)
    assert (done.exit_status, done.stderr) == (64, b"")
    assert done.stdout == f"vnetpanel-gate {gate.version()} refuses this\n".encode()


def test_a_line_with_a_nul_is_not_the_line_before_it(machine: Machine) -> None:
    transport = connect(machine)
    channel = transport.open_session(timeout=10)
    channel.settimeout(10)
    try:
        channel.exec_command(b"id\0probe")
        assert channel.recv_exit_status() == 64
        assert b"uid=" not in channel.recv(100)
    except (paramiko.SSHException, EOFError):
        pass  # sshd itself takes no such line
    finally:
        transport.close()


def test_there_is_no_shell_and_no_terminal(machine: Machine) -> None:
    transport = connect(machine)
    channel = transport.open_session(timeout=10)
    with pytest.raises(paramiko.SSHException):
        channel.get_pty()
    channel = transport.open_session(timeout=10)
    channel.invoke_shell()
    with contextlib.suppress(OSError):  # it may have refused and gone already
        channel.sendall(b"id\n")
    channel.settimeout(10)
    assert b"refuses this" in channel.recv(200) and channel.recv_exit_status() == 64
    transport.close()


def test_no_file_is_copied_in_or_out(machine: Machine) -> None:
    transport = connect(machine)
    # Which of them depends on when the server closes: before, while or after something is asked (OSError).
    with pytest.raises((paramiko.SSHException, paramiko.SFTPError, EOFError, OSError)):
        paramiko.SFTPClient.from_transport(transport)
    transport.close()


def test_nothing_is_forwarded(machine: Machine) -> None:
    transport = connect(machine)
    with pytest.raises(paramiko.ChannelException):
        transport.open_channel("direct-tcpip", (machine.address, machine.port), (HERE, 1), timeout=10)
    with pytest.raises(paramiko.SSHException):
        transport.request_port_forward("127.0.0.1", 0)
    transport.close()


def test_variables_of_the_session_do_not_reach_the_programs(machine: Machine) -> None:
    transport = connect(machine)
    channel = transport.open_session(timeout=10)
    channel.set_environment_variable("VNP_RUN", "/tmp/elsewhere")
    channel.settimeout(20)
    channel.exec_command("transaction status")
    channel.sendall(b"\n")
    channel.shutdown_write()
    assert channel.recv_exit_status() == 0
    assert machine.root("ls -d /tmp/elsewhere").exit_status != 0
    transport.close()


def test_another_source_address_is_refused(machine: Machine) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        connect(machine, source="127.0.0.2")
    connect(machine).close()


def test_root_s_sudoers_file_lists_these_commands_only(machine: Machine) -> None:
    said = machine.root("sudo -l -U vnetpanel").stdout.decode()
    rules = " ".join(said.partition("may run the following")[2].split("\n", 1)[1].split())
    assert rules == "(root) NOPASSWD: " + ", ".join(one.runs for one in gate.commands())


@pytest.mark.parametrize(
    "command",
    [
        "id",
        f"{FOLDER}/transaction - boot",
        f"{FOLDER}/transaction - _deadman",
        f"{FOLDER}/transaction",
        f"{FOLDER}/transaction - plan x",
        f"{FOLDER}/probe",
        f"{FOLDER}/probe - -",
        f"{FOLDER}/../vnetpanel/probe x",
        f"sh {FOLDER}/probe -",
        f"VNP_RUN=/tmp {FOLDER}/transaction - status",
        f"-E {FOLDER}/probe x",
        f"-e {FOLDER}/probe",
        "-s",
        "-u nobody id",
    ],
)
def test_a_shell_of_the_user_would_not_help(machine: Machine, command: str) -> None:
    code, said = as_user(machine, f"sudo -n {command} </dev/null")
    assert code == 1, said
    assert "password is required" in said or "not allowed" in said or "cannot" in said, said


def test_nothing_that_was_put_there_can_be_changed_by_the_user(machine: Machine) -> None:
    things = (
        f"{FOLDER} {FOLDER}/* {FOLDER}/home/.ssh {FOLDER}/home/.ssh/authorized_keys /etc/sudoers.d/vnetpanel"
    )
    code, said = as_user(machine, f"for t in {things}; do [ -w $t ] && echo $t; done; true")
    assert (code, said) == (0, "")
    code, said = as_user(
        machine, f"mv {FOLDER} {FOLDER}.away; echo x >{FOLDER}/probe; rm -f {FOLDER}/gate; ls {FOLDER}"
    )
    assert said.count("ermission denied") >= 3 and "gate" in said


def test_another_key_in_the_users_file_would_open_the_gate_only(machine: Machine) -> None:
    # The gate is the login shell as well.
    assert machine.root("su - vnetpanel -c id").exit_status == 64


def test_programs_of_another_version_are_named(machine: Machine) -> None:
    done = machine.ask("transaction", "apply", "0" * 16)
    with pytest.raises(OtherPrograms, match="earlier version"):
        require_gate("server1", done)
    require_gate("server1", machine.ask("transaction", "status", stdin=b"\n"))


def test_it_can_be_prepared_again(machine: Machine) -> None:
    before = machine.root(f"cat {FOLDER}/* /etc/passwd /etc/sudoers.d/*").stdout
    assert machine.prepare().endswith("done=0\n")
    assert machine.root(f"cat {FOLDER}/* /etc/passwd /etc/sudoers.d/*").stdout == before


def test_only_the_addresses_named_get_in(bare: Machine) -> None:
    assert bare.prepare("192.0.2.7").endswith("done=0\n")
    with pytest.raises(LoginRefused):
        bare.ask("probe")
    assert bare.prepare(f"192.0.2.7,{HERE}/32").endswith("done=0\n")
    assert bare.pool.run(bare.prepared, gate_command("probe", arguments=NONCE)).ok


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("useradd -M vnetpanel", "a user vnetpanel that the panel has not made"),
        ("echo root ALL=ALL >/etc/sudoers", "does not read /etc/sudoers.d"),
        (
            "echo 'vnetpanel ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/more; chmod 440 /etc/sudoers.d/more",
            "let vnetpanel run more",
        ),
        ("echo nonsense >/etc/sudoers.d/broken", "an error already"),
        ("mount --bind /dev/null /usr/bin/sudo", "no sudo here"),
        ("chmod g+w /usr/local/lib", "chmod go-w /usr/local/lib"),
        (
            "mkdir /usr/local/lib/vnetpanel; chown 12345 /usr/local/lib/vnetpanel",
            "others than root can write",
        ),
        ("ln -s /tmp /usr/local/lib/vnetpanel", "others than root can write"),
        ("echo tx >/run/vnetpanel/pending", "not decided yet"),
    ],
    ids=lambda text: text[:24],
)
def test_it_refuses_with_the_reason_and_lets_nobody_in(bare: Machine, before: str, says: str) -> None:
    bare.root(before)
    said = bare.prepare()
    assert says in said and said.endswith("done=69\n"), said
    with pytest.raises((LoginRefused, CommandRefused)):
        bare.ask("probe", stdin=f"{NONCE}\n".encode())
    assert bare.root("test -e /etc/sudoers.d/vnetpanel").exit_status == 1


def test_taken_away_nothing_is_left(bare: Machine) -> None:
    files = "cat /etc/passwd /etc/group; ls -A /etc/sudoers.d /usr/local/lib"
    before = bare.root(files).stdout
    bare.prepare()
    assert bare.ask("probe", stdin=f"{NONCE}\n".encode()).ok  # its connection stays open
    command = Command(("sh", "-s"), stdin=gate.removal().encode())
    assert bare.pool.run(bare.target(), command).stdout == b"state=removed \ndone=0\n"
    assert bare.root(files).stdout == before
