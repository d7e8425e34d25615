"""Files that others wrote are the ones that VENDORED.md names."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"
ROWS = re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|", (VENDOR / "VENDORED.md").read_text(), re.MULTILINE)


def test_every_file_is_listed() -> None:
    present = {path.name for path in VENDOR.iterdir() if path.suffix not in {".md", ".LICENSE"}}
    assert present == {name for name, _ in ROWS}


@pytest.mark.parametrize(("name", "checksum"), ROWS)
def test_its_checksum_is_the_one_listed(name: str, checksum: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == checksum
