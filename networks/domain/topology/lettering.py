"""How wide a text is when drawn: estimated, because the browser's font is not known here.

On the wide side, so that text stays inside its shape with any of the usual sans-serif fonts.
"""

from __future__ import annotations

_NARROW = frozenset("iljtfrI.,:;'|!()[]-/ ")
_WIDE = frozenset("mwMW@%")


def text_width(text: str, size: float) -> int:
    """Pixels that the text takes at that font size."""
    return round(sum(_em(letter) for letter in text) * size)


def fitted(text: str, size: float, width: int) -> str:
    """The text, shortened with an ellipsis if it is wider than that; "" if not even that fits."""
    if text_width(text, size) <= width:
        return text
    room = width / size - 0.85
    kept = ""
    for letter in text:
        room -= _em(letter)
        if room < 0:
            break
        kept += letter
    return f"{kept.rstrip()}…" if kept else ""


def _em(letter: str) -> float:
    if letter in _NARROW:
        return 0.38
    if letter in _WIDE or ord(letter) > 0x2E7F:
        return 1.0
    return 0.72 if letter.isupper() else 0.62
