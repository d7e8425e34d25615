"""`manage.py health`: which parts of the panel work."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from vnetpanel import health


class Command(BaseCommand):
    """Says of database, broker, worker and scheduler whether each works; exit code 1 if one does not."""

    help = "Say whether database, broker, worker and scheduler work (exit code 1 if one does not)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """`--json` for machines."""
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask all four and print the answers."""
        findings = health.findings()
        if options["json"]:
            answer = {one.part: {"ok": one.ok, "detail": one.detail} for one in findings}
            self.stdout.write(json.dumps(answer, indent=2))
        else:
            for one in findings:
                self.stdout.write(f"{one.part:<10} {'ok  ' if one.ok else 'FAIL'} {one.detail}")
        if not all(one.ok for one in findings):
            sys.exit(1)
