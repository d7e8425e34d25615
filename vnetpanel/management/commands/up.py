"""`manage.py up`: the whole panel with one command."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from vnetpanel.broker import BrokerError
from vnetpanel.launch import Launcher, LaunchError
from vnetpanel.supervisor import GaveUpError


class Command(BaseCommand):
    """Starts database migrations, broker, worker, scheduler and web server; stops them all on Ctrl-C."""

    help = "Start the whole panel (with --lab: and the lab's servers); Ctrl-C stops everything it started."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to listen, whether to boot the lab, where the processes write."""
        parser.add_argument("--lab", action="store_true", help="boot the lab and register its servers")
        parser.add_argument("--listen", default="127.0.0.1:8000", metavar="ADDRESS:PORT")
        parser.add_argument(
            "--log-to",
            choices=("files", "stderr"),
            default="files",
            help="files: var/log/NAME.log (default); stderr: for systemd and containers",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop; exit code 1 with one sentence if it cannot."""
        log_dir = settings.VAR_DIR / "log" if options["log_to"] == "files" else None
        launcher = Launcher(options["listen"], options["lab"], log_dir, self.say)
        try:
            launcher.run()
        except (BrokerError, GaveUpError, LaunchError) as error:
            raise CommandError(str(error)) from None

    def say(self, line: str) -> None:
        """One line to the terminal, at once."""
        self.stdout.write(line)
        self.stdout.flush()
