"""`manage.py rotate_keys`: encrypt every stored secret with the newest key."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from trust.audit import record
from trust.key_rotation import rotate


class Command(BaseCommand):
    """To change keys: put a new one in front, run this, remove the old one."""

    help = "Encrypt stored secrets with the newest key; may be interrupted and run again."

    def handle(self, *args: Any, **options: Any) -> None:
        """Numbers on standard output; exit code 1 names what no key fits."""
        result = rotate()
        who = f"{getpass.getuser()} at the command line"
        if result.done:
            text = f"{result.done} stored secrets were encrypted with the newest key."
            record("keys.rotated", text, actor=who)
        self.stdout.write(f"{result.done} encrypted anew, {result.were_new} had the newest key already.")
        for one in result.unreadable:
            self.stderr.write(f"No key fits: {one}")
        if result.unreadable:
            raise CommandError(
                f"{len(result.unreadable)} secrets cannot be decrypted. Put the key back that made them, or "
                "enter them again."
            )
        self.stdout.write("Older keys can be removed now.")
