"""Icons are found by the names that templates use."""

from __future__ import annotations

import re
from pathlib import Path

from vnetpanel.templatetags.ui import alert_class, alert_icon, icon

ROOT = Path(__file__).resolve().parents[2]
DRAWN = set(re.findall(r'<symbol id="([a-z-]+)"', (ROOT / "static" / "icons.svg").read_text()))


def test_every_icon_that_a_template_names_is_drawn() -> None:
    used = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r'{% icon "([^"]+)"', path.read_text())
    }
    assert used <= DRAWN
    assert used


def test_an_icon_without_a_title_is_decoration() -> None:
    assert 'aria-hidden="true"' in icon("server")
    assert "title" not in icon("server")


def test_a_titled_icon_speaks_and_is_escaped() -> None:
    drawn = icon("server", title='"<b>"')
    assert 'role="img"' in drawn
    assert "<b>" not in drawn


def test_every_level_of_message_has_a_drawn_sign_of_its_own() -> None:
    levels = ("error", "warning", "success", "info", "extra error")
    assert [alert_class(one) for one in levels] == ["danger", "warning", "success", "info", "danger"]
    assert {alert_icon(one) for one in levels} <= DRAWN
