"""``python -m lab``: the lab without Django."""

from __future__ import annotations

from lab.cli import main

raise SystemExit(main())
