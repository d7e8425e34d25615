"""What every template may use without loading it (a built-in library, see settings)."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from vnetpanel.tabs import TABS

register = template.Library()


@register.simple_tag
def icon(name: str, title: str = "", css: str = "") -> SafeString:
    """An icon of static/icons.svg, by the name of what it stands for: `{% icon "server" %}`.

    Without a title it is decoration that screen readers skip, so words must stand beside it.
    """
    href = f"{static('icons.svg')}#{name}"
    if title:
        return format_html(
            '<svg class="icon {}" role="img" aria-label="{}"><title>{}</title><use href="{}"></use></svg>',
            css,
            title,
            title,
            href,
        )
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}"></use></svg>', css, href)


@register.filter
def ago(when: datetime) -> str:
    """How long since, in words: "3 hours ago", or "just now" within the first minute."""
    words = timesince(when)
    return "just now" if words.startswith("0") else f"{words} ago"


@register.filter
def alert_class(tags: str) -> str:
    """Tabler's alert class for the level of a Django message."""
    levels = {"error": "danger", "warning": "warning", "success": "success"}
    return next((css for level, css in levels.items() if level in tags.split()), "info")


@register.filter
def alert_icon(tags: str) -> str:
    """The icon for the level of a Django message, so that colour is not the only sign."""
    icons = {"error": "danger", "warning": "alert", "success": "success"}
    return next((name for level, name in icons.items() if level in tags.split()), "info")


@register.inclusion_tag("inc/tabs.html")
def tabs(kind: str, key: object, shown: str = "", name: object = "") -> dict[str, object]:
    """The tab bar of a page (vnetpanel/tabs.py): `{% tabs "server" server.pk "networks" server %}`."""
    bar = [(tab.label, reverse(tab.route, args=[key]), tab.key == shown) for tab in TABS[kind]]
    return {"tabs": bar if len(bar) > 1 else [], "name": name}
