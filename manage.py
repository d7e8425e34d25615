#!/usr/bin/env python3
"""Django's command line: `manage.py up` starts the panel, `manage.py help` lists the rest."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run one management command with the panel's settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vnetpanel.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit(
            "Django is not installed in this Python. Run `make run` once, or use .venv/bin/python manage.py."
        )
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A setting of the administrator's: what to write instead is all that there is to say.
        sys.exit(str(error))


if __name__ == "__main__":
    main()
