"""The documentation names what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from vnetpanel import env

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("bench", "chaos", "docs", "lab", "networks")
PAGES = sorted([*ROOT.glob("*.md"), *(page for name in FOLDERS for page in (ROOT / name).rglob("*.md"))])
OF_TODAY = [page for page in PAGES if page.name != "CHANGELOG.md"]


def test_every_setting_is_explained() -> None:
    explained = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "operations.md").read_text()))
    read = env.KNOWN | {"VNETPANEL_KEYS", "VNETPANEL_KEYS_FILE"}
    assert read <= explained
    assert {name for name in explained if name.startswith("VNETPANEL_")} <= read


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, _, place in re.findall(r"\]\(([^)#:]*)(#([^)]+))?\)", page.read_text()):
        found = page.parent / target if target else page
        assert found.exists(), target
        assert not place or place in places(found), f"{target}#{place}"


def places(page: Path) -> set[str]:
    """What its headings are called in addresses."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", OF_TODAY, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_path_that_is_named_is_there(page: Path) -> None:
    text, targets = page.read_text(), (ROOT / "Makefile").read_text()
    for name in re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.MULTILINE):
        assert f"\n{name}: ## " in targets, name
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= get_commands().keys()
    for path in re.findall(r"`([a-z]+/[\w./-]*)`", text):
        top = path.partition("/")[0]
        assert top == "var" or not (ROOT / top).is_dir() or (ROOT / path).exists(), path


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
