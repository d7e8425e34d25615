"""Takes the pictures of the documentation: the manual's scheme in a database of its own, no server behind it.

`make screenshots` takes all of docs/images; `scripts/screenshots.py FOLDER WORD…` takes those whose name has
one of the words into another folder, in light, dark and narrow.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LISTEN = "127.0.0.1:8391"
IMAGES = ROOT / "docs" / "images"
PICTURES = IMAGES / "screens"
WIDTH, HEIGHT = 1180, 480
TALLEST = 760
"""Pixels of a page's picture in the docs: what is below repeats."""
ROOMY = {
    "topology-group": (1520, 1000),
    "topology-scheme": (1760, 1000),
    "topology-200-servers": (1900, 1000),
    "visibility-matrix": (1400, 1000),
    "visibility-explain": (1400, 1000),
}
"""Width of the window and the tallest picture, for pages that are one drawing."""
WHOLE = {
    "topology-scheme": ("topology-group", "?state=desired"),
    "visibility-matrix": ("visibility-group", ""),
    "visibility-explain": ("visibility-explain", ""),
}
"""Pictures of whole windows, and the pages they show."""


def prepare(var: str) -> dict[str, str]:
    """Settings of a panel that has its own folder; the database in it is migrated and filled."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "vnetpanel.settings",
        "VNETPANEL_VAR": var,
        "VNETPANEL_DEBUG": "1",
    }
    os.environ["VNETPANEL_LOG_LEVEL"] = "ERROR"
    sys.path.insert(0, str(ROOT))
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from tests.seeded import seed

    return seed()


@contextmanager
def served() -> Iterator[str]:
    """The panel's pages on this machine's own address while the block lasts."""
    command = [sys.executable, "manage.py", "runserver", LISTEN, "--noreload"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://{LISTEN}/login/", timeout=5)
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://{LISTEN}"
    finally:
        server.terminate()
        server.wait(10)


def log_in(page: Any) -> None:
    """As the user that the seed made."""
    page.goto("/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "correct-horse-battery")
    page.click("button[type=submit]")


def take(page: Any, address: str, path: Path, *, narrow: bool = False, whole: bool = True) -> None:
    """One picture: of the whole window, or of what is beside the tree."""
    width, tallest = ROOMY.get(path.stem, (WIDTH, TALLEST))
    width = 400 if narrow else width
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.goto(address)
    if not narrow:
        page.wait_for_selector("#tree a")
    # As high as the page, so that what sticks to the window's edges is drawn once. Twice: parts of it may be
    # as high as the window allows.
    for _ in range(2):
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": max(height, HEIGHT)})
        page.wait_for_timeout(300)
    if whole:
        page.screenshot(path=path)
        return
    box = page.locator("#content").bounding_box()
    page.screenshot(path=path, clip={**box, "height": min(box["height"], tallest)})


def take_windows(page: Any, pages: dict[str, str]) -> None:
    """The pictures of whole windows; the last is of more servers, which are only made here."""
    for name, (shown, query) in WHOLE.items():
        take(page, pages[shown] + query, IMAGES / f"{name}.png")
    from tests.many_servers import seed_many

    # Playwright's event loop makes Django believe that it is called from async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    take(page, f"{seed_many()}?state=desired", IMAGES / "topology-200-servers.png")


def main(folder: Path, words: list[str]) -> None:
    """Take the pictures; with words only those, in all looks."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="vnp-") as var:
        pages = prepare(var)
        named = (ROOT / "docs" / "screens.md").read_text()
        wanted = {
            name: address
            for name, address in pages.items()
            if (any(word in name for word in words) if words else f"screens/{name}.png" in named)
        }
        looks = [("", "light", False)]
        if words:
            looks += [("-dark", "dark", False), ("-narrow", "light", True)]
        folder.mkdir(parents=True, exist_ok=True)
        with served() as url, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            for suffix, scheme, narrow in looks:
                context = chromium.new_context(base_url=url, color_scheme=scheme)
                page = context.new_page()
                log_in(page)
                for name, address in wanted.items():
                    take(page, address, folder / f"{name}{suffix}.png", narrow=narrow, whole=bool(words))
                if not words:
                    take_windows(page, pages)
                context.close()
            chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES, sys.argv[2:])
