"""Starting the whole panel with one command: what `manage.py up` does, step by step."""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import OperationalError, transaction

from vnetpanel import health
from vnetpanel.broker import private_broker
from vnetpanel.celery import app, server_queue
from vnetpanel.logs import masked
from vnetpanel.supervisor import Child, Supervisor

if TYPE_CHECKING:
    from lab.lab import Lab

FIRST_LOGIN = "admin"
START_S = 60.0
CELERY = (sys.executable, "-m", "celery", "-A", "vnetpanel")


class LaunchError(Exception):
    """The panel cannot start; the text is one sentence for the person at the keyboard."""


@contextmanager
def only_one(path: Path) -> Iterator[Callable[[str], None]]:
    """Hold the lock of this var/ folder; LaunchError, naming the holder, when another panel holds it.

    Yields the function by which the holder says where it can be reached.

    The kernel releases the lock when its holder ends, however it ends, so no stale file is in the way.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "still starting"
            raise LaunchError(f"The panel is already running here: {holder}.") from None

        def tell(address: str) -> None:
            file.truncate(0)
            file.write(f"{address} (process {os.getpid()})")
            file.flush()

        tell("still starting")
        yield tell


def listen(address: str) -> socket.socket:
    """A listening socket for `host:port`, opened before anything slow starts; LaunchError if it is taken."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or int(port) > 65535:
        raise LaunchError(f"Cannot listen on {address!r}: expected address:port, such as 127.0.0.1:8000.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise LaunchError(
            f"Cannot listen on {address}: {error.strerror}. Choose another with --listen (make: LISTEN=…)."
        ) from None
    listener.listen(512)
    return listener


def url_of(listener: socket.socket) -> str:
    """The address to type into a browser. With HTTPS it is that of the web server in front."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    here = f"{shown}:{port}"
    if settings.HTTPS:
        return f"https://{settings.ALLOWED_HOSTS[0]}/ (this is {here}, for the web server in front)"
    return f"http://{here}/"


def first_login() -> str | None:
    """Make the first superuser when there is none; returns its random password, kept nowhere in clear."""
    users = get_user_model()
    if users.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.objects.create_superuser(FIRST_LOGIN, password=password)
    return password


def which_panel() -> str:
    """Words before a command that is meant for this panel and not for the one in var/; "" if it is that."""
    return f"VNETPANEL_VAR={shlex.quote(str(settings.VAR_DIR))} " if "VNETPANEL_VAR" in os.environ else ""


def interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends the panel just as Ctrl-C does."""
    raise KeyboardInterrupt


class Launcher:
    """One run of the panel, from the lock to the last process ended."""

    def __init__(
        self, listen_on: str, with_lab: bool, log_dir: Path | None, say: Callable[[str], None]
    ) -> None:
        """Nothing happens yet; `say` gets one line per step."""
        self.listen_on = listen_on
        self.with_lab = with_lab
        self.say = say
        self.supervisor = Supervisor(log_dir, say)
        #: Words before each command that talks to servers: in the lab, those run in its panel's namespace.
        self.prefix: list[str] = []
        #: The lab, if this run booted it; and the lock that says it is in use.
        self.lab: Lab | None = None
        self.lab_lock: IO[str] | None = None

    def run(self) -> None:
        """Start everything, say where it is, stay until Ctrl-C or SIGTERM, end everything."""
        signal.signal(signal.SIGTERM, interrupt)
        with only_one(settings.VAR_DIR / "up.lock") as tell:
            try:
                self.start(tell)
                while True:
                    time.sleep(0.5)
                    self.supervisor.watch_once()
            except KeyboardInterrupt:
                self.say("Stopping …")
            finally:
                self.end()

    def start(self, tell: Callable[[str], None]) -> None:
        """All steps from the socket to the printed address."""
        with listen(self.listen_on) as listener:
            address = url_of(listener)
            tell(address)
            self.say("Preparing the database and the static files")
            try:
                call_command("migrate", interactive=False, verbosity=0)
            except OperationalError as error:
                raise LaunchError(f"The database cannot be used: {masked(str(error).strip())}") from None
            if self.with_lab:
                self.refuse_real_servers()
                self.boot_lab()
            if not settings.DEBUG:
                call_command("collectstatic", interactive=False, verbosity=0)
            self.start_broker()
            if self.with_lab:
                self.register_lab()
            self.start_workers()
            self.start_web(listener)
        self.wait_until_healthy()
        self.welcome(address)

    def welcome(self, address: str) -> None:
        """Say where the panel is and how to log in; the first user is made only here."""
        # Said before she is stored: a start that fails leaves no user whose password nobody has seen.
        with transaction.atomic():
            password = first_login()
            self.say("")
            self.say(f"The panel is ready:  {address}")
            if password:
                self.say(f"First login:         {FIRST_LOGIN}  {password}")
                self.say("                     (shown only this once)")
            else:
                self.say(
                    "Login:               as before; a forgotten password: "
                    f"{which_panel()}{Path(sys.executable)} manage.py changepassword {FIRST_LOGIN}"
                )
        self.say("Ctrl-C stops everything that was started.")

    def boot_lab(self) -> None:
        """Boot the lab's servers, and have what talks to servers run beside them."""
        from lab.definition import SERVERS
        from lab.errors import LabError
        from lab.lab import Lab
        from lab.netns import exec_prefix

        self.say("Booting the lab's servers")
        try:
            lab = Lab(report=self.say)
            # A lab that somebody has up already is shared, and left up at the end.
            if all(lab.state(server.name) == "off" for server in SERVERS):
                self.lab = lab
            lab.up()
            self.lab_lock = lab.use()
        except LabError as error:
            raise LaunchError(str(error)) from None
        self.prefix = exec_prefix(lab.place)

    def refuse_real_servers(self) -> None:
        """LaunchError if this is the panel of real servers, which the lab's network does not reach."""
        if self.lab_registration("sys.exit(3 * lab_registration.are_all_others())") == 3:
            raise LaunchError(
                f"{settings.VAR_DIR} is the panel of real servers, which the lab's network does not reach. "
                "Run `make demo`, or name another folder in VNETPANEL_VAR."
            )

    def register_lab(self) -> None:
        """Put the lab's servers into the inventory, from where the lab's addresses can be reached."""
        self.say("Registering the lab's servers")
        if self.lab_registration("lab_registration.register()"):
            raise LaunchError("The lab's servers could not be registered; the lines above say why.")

    def lab_registration(self, call: str) -> int:
        """The exit code of a call of the inventory, which the wiring does not know, in its own process."""
        code = f"import sys, django; django.setup(); from nodes import lab_registration; {call}"
        words = [*self.prefix, sys.executable, "-c", code]
        # Its lines of the audit trail would stand between the steps that a newcomer reads.
        quiet = {**self.environment(), "VNETPANEL_LOG_LEVEL": "WARNING"}
        return subprocess.run(words, cwd=settings.BASE_DIR, env=quiet).returncode

    def environment(self) -> dict[str, str]:
        """The environment of a process of the panel."""
        return {**os.environ, "DJANGO_SETTINGS_MODULE": "vnetpanel.settings", "PYTHONUNBUFFERED": "1"}

    def start_broker(self) -> None:
        """Start a private broker unless REDIS_URL names one."""
        if settings.REDIS_URL:
            self.say("Using the broker that REDIS_URL names")
            return
        broker = private_broker(settings.BROKER_SOCKET)
        self.say(f"Starting a private broker ({broker.binary.name})")
        child = Child("broker", broker.command(), self.environment(), broker.folder)
        broker.wait_until_ready(self.supervisor.start(child), where=self.supervisor.where(child))

    def start_workers(self) -> None:
        """Start the worker, which talks to servers, and beat, which sends what is due."""
        self.say("Starting worker, scheduler and web server")
        for number in range(settings.WORKERS):
            self.start_worker(number)
        self.start_scheduler()

    def start_scheduler(self) -> None:
        """Start the process that sends what is due."""
        self.start_child("scheduler", [*self.prefix, *CELERY, "beat"])

    def start_worker(self, number: int = 0) -> None:
        """Start a process that talks to servers; with several, each looks at servers of its own."""
        name = f"panel-{number}@%h" if number else "panel@%h"
        worker = [*CELERY, "worker", "--hostname", name, "--without-gossip", "--without-mingle"]
        if settings.WORKERS > 1:
            worker += ["--queues", f"{app.conf.task_default_queue},{server_queue(number)}"]
        # As long as a task may take to reach a safe place; what is cut off is resumed by its row's lease.
        child = f"worker-{number}" if number else "worker"
        self.start_child(child, [*self.prefix, *worker], stop_s=35)

    def start_web(self, listener: socket.socket) -> None:
        """Start the web server on a socket that was opened out here, wherever it runs itself."""
        # The supervisor keeps a copy of the socket, so that a web server that died can be started again on it
        # and browsers that come meanwhile wait instead of being refused.
        kept = os.dup(listener.fileno())
        options = {
            "bind": f"fd://{kept}",
            "worker-class": "gthread",
            "workers": str(settings.WEB_PROCESSES),
            "threads": str(settings.WEB_THREADS),
            "timeout": "60",
            "graceful-timeout": "8",
            "logger-class": "vnetpanel.gunicorn_logger.PanelLogger",
        }
        arguments = [word for key, value in options.items() for word in (f"--{key}", value)]
        command = [sys.executable, "-m", "gunicorn", "vnetpanel.wsgi", *arguments, "--no-control-socket"]
        self.start_child("web", [*self.prefix, *command], pass_fds=(kept,))

    def start_child(
        self, name: str, command: list[str], stop_s: float = 10, pass_fds: tuple[int, ...] = ()
    ) -> None:
        """Start one of the panel's own programs."""
        self.supervisor.start(
            Child(name, command, self.environment(), settings.BASE_DIR, stop_s=stop_s, pass_fds=pass_fds)
        )

    def wait_until_healthy(self) -> None:
        """Return when all parts answer; LaunchError with the first that does not, after a minute."""
        deadline = time.monotonic() + START_S
        while broken := [finding for finding in health.findings() if not finding.ok]:
            self.supervisor.watch_once()
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"The panel did not come up: {broken[0].part}: {broken[0].detail.rstrip('.')}."
                )
            time.sleep(0.3)

    def end(self) -> None:
        """End all that was started, the lab last."""
        # A second Ctrl-C must not leave half of it running.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        self.supervisor.stop()
        if self.lab_lock is not None:
            self.lab_lock.close()
        if self.lab is not None:
            self.shut_down(self.lab)

    def shut_down(self, lab: Lab) -> None:
        """Shut the lab's servers down; their disks stay, as the panel's database remembers them."""
        from lab.errors import LabError

        self.say("Shutting the lab's servers down")
        try:
            lab.down(keep_disks=True)
        except LabError as error:
            self.say(f"The lab stays up: {error}")
