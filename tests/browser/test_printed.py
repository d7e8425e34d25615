"""On paper there is the picture or the matrix, and nothing that could be clicked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("name", "shown"), [("topology", "svg.topology"), ("visibility", ".matrix")])
def test_a_page_is_printed_without_what_can_be_clicked(
    open_page: Callable[..., Any], site: Any, tmp_path: Path, name: str, shown: str
) -> None:
    page = open_page(reverse(f"networks:group_{name}", args=[site.scene.group.pk]))
    assert page.locator(".sidebar").is_visible()
    page.emulate_media(media="print")
    assert page.locator(shown).first.is_visible()
    for gone in (".topbar", ".sidebar", ".btn", ".topology-tools"):
        assert not any(one.is_visible() for one in page.locator(gone).all()), gone
    printed = page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF") and 1 <= printed.count(b"/Type /Page\n") <= 3
