"""``python -m lab``: the lab without Django."""

from lab.cli import main

raise SystemExit(main())
