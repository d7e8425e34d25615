"""`manage.py restore FILE`: a backup into a new database."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from trust.audit import record
from vnetpanel import backup


class Command(BaseCommand):
    """Migrates an empty database and fills it; then checks the audit trail and the stored secrets."""

    help = "Fill a new, empty database from a backup; SQLite and PostgreSQL read each other's."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """From where."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """All or nothing; what is wrong with what was restored is said, and ends with exit code 1."""
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"{path} is not there.")
        call_command("migrate", interactive=False, verbosity=0)
        try:
            rows = backup.read(path)
        except backup.BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{rows} rows restored.")
        call_command("verify_audit", stdout=self.stdout, stderr=self.stderr)
        who = f"{getpass.getuser()} at the command line"
        record("backup.restored", f"The backup {path} was restored.", actor=who)
        call_command("check", databases=["default"], stdout=self.stdout, stderr=self.stderr)
