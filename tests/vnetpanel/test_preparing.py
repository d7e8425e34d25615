"""What `make` installs before a command runs: nothing is left behind, and what failed is said."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Machine:
    """A checkout and the programs that it finds; apt and the like only say what they are asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.log = folder / "log"
        for one in (self.bin, self.checkout / "scripts", self.checkout / "requirements", folder / "usr/sbin"):
            one.mkdir(parents=True)
        shutil.copy(ROOT / "scripts/prepare.sh", self.checkout / "scripts")
        for name in ("run.txt", "dev.txt", "bench.txt"):
            (self.checkout / "requirements" / name).write_text(f"# {name}\n")
        self.log.touch()
        self.program("id", "echo 0")
        self.program("dpkg-query", "exit 1")
        self.program("systemctl", f'echo "systemctl $*" >>{self.log}')
        self.program("apt-get", f'echo "apt-get $*" >>{self.log}')

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    @property
    def policy(self) -> Path:
        return self.folder / "usr/sbin/policy-rc.d"

    def start(self, what: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["dash", "scripts/prepare.sh", what],
            cwd=self.checkout,
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", "PREPARE_ROOT": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def prepare(self, what: str) -> tuple[int, str]:
        """Exit code and all that was printed."""
        done = self.start(what)
        out, err = done.communicate(timeout=60)
        return done.returncode, out + err


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_installation_forbids_no_service_afterwards_and_enables_none(
    machine: Machine, number: signal.Signals
) -> None:
    machine.program("apt-get", f"[ $1 = update ] || {{ touch {machine.folder}/begun; sleep 2; }}")
    running = machine.start("test")
    while not (machine.folder / "begun").exists():
        time.sleep(0.02)
    assert machine.policy.exists()
    os.killpg(running.pid, number)
    running.communicate(timeout=30)
    end = time.monotonic() + 10
    while machine.policy.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not machine.policy.exists()
    assert "disable --quiet ssh.service" in machine.log.read_text()


def test_what_a_killed_run_left_is_removed_and_what_others_forbid_stays(machine: Machine) -> None:
    machine.policy.write_text(
        "#!/bin/sh\n# made by the panel's scripts/prepare.sh, which removes it\nexit 101\n"
    )
    machine.program("python3", "exit 1")
    machine.prepare("test")
    assert not machine.policy.exists()
    machine.policy.write_text("#!/bin/sh\nexit 101\n")
    machine.prepare("test")
    assert machine.policy.read_text() == "#!/bin/sh\nexit 101\n"


def test_a_failing_apt_ends_the_demo_and_is_said_by_the_tests(machine: Machine) -> None:
    machine.program("apt-get", "exit 100")
    code, said = machine.prepare("demo")
    assert code == 1 and "apt could not install: " in said and "its messages are above" in said
    machine.program("python3", "echo 'Python 3.9.1'; exit 1")
    _, said = machine.prepare("test")
    assert "apt could not install: " in said and "python3-venv" in said


def test_a_source_that_is_away_does_not_keep_apt_from_installing(machine: Machine) -> None:
    machine.program("apt-get", f'echo "apt-get $1" >>{machine.log}; [ $1 != update ]')
    machine.program("python3", "exit 1")
    machine.prepare("test")
    assert "apt-get install" in machine.log.read_text()


def test_the_database_that_an_administrator_has_stays_enabled(machine: Machine) -> None:
    machine.program("dpkg-query", "case $* in *postgresql-common*) echo installed ;; *) exit 1 ;; esac")
    machine.program("python3", "exit 1")
    machine.prepare("test")
    said = machine.log.read_text()
    assert "disable --quiet ssh.service" in said and "postgresql.service" not in said


class Python:
    """Stands in for python3 with venv and pip: says what is done, and makes what looks like one."""

    TEXT = """case "$*" in
*version_info*) exit 0 ;;
*sys.version*) echo VERSION ;;
*ensurepip*) exit 0 ;;
'-m venv --clear '*)
    echo "venv VERSION" >>LOG
    rm -rf .venv
    mkdir -p .venv/bin
    cat >.venv/bin/python <<'EOT'
#!/bin/sh
case "$*" in *--version*) [ -e .venv/whole ] ;; *install*) echo "$*" >>LOG ;; esac
EOT
    chmod 755 .venv/bin/python
    touch .venv/whole
    ;;
esac"""

    @classmethod
    def of(cls, machine: Machine, version: str) -> None:
        machine.program("dpkg-query", "echo installed")
        machine.program("python3", cls.TEXT.replace("VERSION", version).replace("LOG", str(machine.log)))


def test_an_environment_is_made_once_and_serves_both_commands(machine: Machine) -> None:
    Python.of(machine, "3.11.2")
    for what in ("test", "test", "run"):
        assert machine.prepare(what)[0] == 0
    said = machine.log.read_text().splitlines()
    assert [line.split()[0] for line in said] == ["venv", "-m"] and "requirements/dev.txt" in said[1]


def test_one_that_was_half_made_is_made_anew(machine: Machine) -> None:
    Python.of(machine, "3.11.2")
    machine.prepare("run")
    (machine.checkout / ".venv/whole").unlink()
    next((machine.checkout / ".venv").glob(".installed-*")).unlink()
    assert machine.prepare("run")[0] == 0
    assert machine.log.read_text().count("venv 3.11.2") == 2


def test_one_of_another_python_is_made_anew_whoever_asks(machine: Machine) -> None:
    Python.of(machine, "3.11.2")
    machine.prepare("test")
    (machine.checkout / ".venv/whole").unlink()  # its pip is in the folder of that Python
    Python.of(machine, "3.13.5")
    assert machine.prepare("run")[0] == 0
    assert "venv 3.13.5" in machine.log.read_text()


def test_other_users_can_read_what_is_installed(machine: Machine) -> None:
    Python.of(machine, "3.11.2")
    old = os.umask(0o077)
    try:
        machine.prepare("run")
    finally:
        os.umask(old)
    assert stat.S_IMODE((machine.checkout / ".venv").stat().st_mode) == 0o755
