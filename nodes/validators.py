"""Checks of typed-in values that more than one form or model needs."""

from __future__ import annotations

import ipaddress
import re
import unicodedata

from django.core.exceptions import ValidationError

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\Z")
_LINK = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}\Z")
# Controls, marks of formatting and direction, private and surrogate codes, separators of lines.
_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
# Letters by their category, but drawn as nothing: the fillers of Hangul.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")


def validate_host(value: str) -> None:
    """Accept an IP address or a host name (RFC 1123); raise ValidationError otherwise."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not _HOST.match(value):
            raise ValidationError(
                "Enter an IP address or a host name such as 192.0.2.10 or node1.example.org."
            ) from None


def validate_link_name(value: str) -> None:
    """Accept a name the kernel takes for a link: at most 15 bytes (IFNAMSIZ in linux/if.h), plain ASCII."""
    if not _LINK.match(value):
        raise ValidationError(
            "Enter a name of at most 15 letters, digits, dots, dashes or underscores, a letter first."
        )


def validate_visible_name(value: str) -> None:
    """Refuse a name that people cannot see as it is: two would look alike, or one like nothing at all."""
    for character in value:
        if unicodedata.category(character) in _UNSEEN:
            raise ValidationError(
                f"This holds a character that cannot be seen ({_in_words(character)}). Enter it without that."
            )
    if all(c.isspace() or c in _BLANK_LETTERS for c in value):
        raise ValidationError("Nothing of this can be seen. Enter a name that others can read.")


def _in_words(character: str) -> str:
    return f"{unicodedata.name(character, 'unnamed').capitalize()}, U+{ord(character):04X}"
