"""``manage.py lab``: the three servers of the manual's scheme on this machine."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from lab.cli import add_arguments, perform


class Command(BaseCommand):
    """Everything is in the ``lab`` package; this only hands the words over."""

    help = "Boot, look at, break and mend the lab: the manual's scheme as real machines."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the lab's verbs."""
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it and end with its exit code."""
        sys.exit(perform(argparse.Namespace(**options)))
