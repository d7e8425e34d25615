"""`manage.py verify_audit`: was the audit trail changed after it was written?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trust import chain
from trust.audit import line_of
from trust.models import Entry

SHOWN = 20


class Command(BaseCommand):
    """Reads all lines in order and compares each with its digest and with the one before."""

    help = "Check the audit trail; exit code 1 names what was changed or removed."

    def add_arguments(self, parser: CommandParser) -> None:
        """A digest that was written down elsewhere proves that the end was not cut off."""
        parser.add_argument(
            "--expect",
            metavar="NUMBER:DIGEST",
            help="a line as an earlier run or a log has it: it must still be there",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """One sentence when all is well, else the first faults."""
        pairs = ((line_of(row), row.digest) for row in Entry.objects.order_by("number").iterator(500))
        found = list(chain.faults(pairs))
        if options["expect"] and (fault := _missing(options["expect"])):
            found.append(fault)
        for fault in found[:SHOWN]:
            self.stderr.write(fault)
        if found:
            raise CommandError(f"The audit trail is not as it was written: {len(found)} faults.")
        last = Entry.objects.order_by("-number").first()
        if last is None:
            self.stdout.write("The audit trail is empty.")
            return
        self.stdout.write(
            f"{last.number} lines, all as they were written. The last: {last.number}:{last.digest}"
        )


def _missing(expected: str) -> str:
    number, _, digest = expected.partition(":")
    if not (number.isascii() and number.isdigit()) or len(digest) != 64:
        raise CommandError("--expect: give NUMBER:DIGEST, as this command prints it.")
    if Entry.objects.filter(pk=int(number), digest=digest).exists():
        return ""
    return f"Line {number} with the digest {digest} is not there."
