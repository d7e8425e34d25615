"""`manage.py backup FILE`: everything that was decided and written down, without the keys."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trust.audit import record
from vnetpanel import backup


class Command(BaseCommand):
    """Works while the panel runs, on SQLite and PostgreSQL; `restore` reads it on either."""

    help = "Write the database to a file. Keep var/keys elsewhere: without it the stored passwords are lost."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """One sentence, or exit code 1 with the reason."""
        path: Path = options["file"]
        if path.exists():
            raise CommandError(f"{path} exists already. Give each backup a name of its own.")
        record(
            "backup.made", f"A backup is written to {path}.", actor=f"{getpass.getuser()} at the command line"
        )
        try:
            rows = backup.write(path)
        except backup.BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{path}: {rows} rows. The keys (var/keys, var/secret-key) are not in it.")
