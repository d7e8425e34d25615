#!/usr/bin/env python3
"""Django's command line: `manage.py up` starts the panel, `manage.py help` lists the rest."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run one management command with the panel's settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vnetpanel.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit(
            "Django is not installed in this Python. Run `make run` once, or use .venv/bin/python manage.py."
        )
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
