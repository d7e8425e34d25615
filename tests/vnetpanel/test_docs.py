"""The documentation names what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vnetpanel import env

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_every_setting_is_explained() -> None:
    explained = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "operations.md").read_text()))
    read = env.KNOWN | {"VNETPANEL_KEYS", "VNETPANEL_KEYS_FILE"}
    assert read <= explained
    assert {name for name in explained if name.startswith("VNETPANEL_")} <= read


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_picture_of_the_screens_is_made_anew_by_the_command() -> None:
    """`make screenshots` takes the pages that tests/seeded.py names."""
    shown = set(re.findall(r"images/screens/([a-z-]+)\.png", (ROOT / "docs" / "screens.md").read_text()))
    taken = set(re.findall(r'"([a-z-]+)": at\(', (ROOT / "tests" / "seeded.py").read_text()))
    kept = {path.stem for path in (ROOT / "docs" / "images" / "screens").glob("*.png")}
    assert shown <= taken and shown == kept


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "adr"
    listed = re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("0*.md"))
