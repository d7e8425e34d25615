"""Names that people enter: whether others can see them as they are, and which ones look the same. Pure."""

from __future__ import annotations

import unicodedata

# Controls, marks of formatting and direction, private and surrogate codes, separators of lines.
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
# Letters, marks and a symbol by their category, but drawn as nothing (most are Default_Ignorable_Code_Point).
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_JOINERS = "\u200c\u200d"
_STYLES = "\ufe0e\ufe0f"
"""Behind a symbol, as keyboards send it: drawn as text, or in colours."""
_JOINED = frozenset(
    "ARABIC SYRIAC DEVANAGARI BENGALI GURMUKHI GUJARATI ORIYA TAMIL TELUGU KANNADA MALAYALAM SINHALA".split()
)
"""Scripts that write words with joiners (Unicode 15, chapters 9.2 and 12), as its character names begin."""
_SHOWN_BEFORE = 20
"""Characters of a name that say where in it something is."""


def unseen_in(name: str) -> str:
    """Which character of the name cannot be seen, and where, as "holds a …"; "" if all can.

    Two names would look alike. Within words of scripts that need them, as in Persian, Hindi and Malayalam,
    joiners are no fault: there they are seen by what they do to the letters.
    """
    if _is_plain(name):
        return ""
    for place, character in enumerate(name):
        if not _is_seen(character) and not _belongs(name, place):
            words = f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()
            before = name[max(0, place - _SHOWN_BEFORE) : place]
            where = f"after “{before}”" if before else "at its beginning"
            return f"holds a character that cannot be seen: {words}, {where}"
    return ""


def as_seen(name: str) -> str:
    """What people see of a name: two that are the same here look the same."""
    if not _is_plain(name):
        seen = "".join(c for c in name if c.isspace() or _is_seen(c))
        name = unicodedata.normalize("NFC", seen)
    return " ".join(name.split())


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isprintable()


def _is_seen(character: str) -> bool:
    if unicodedata.category(character) in _UNSEEN or character in _BLANK:
        return False
    # Variants of the character before them.
    return not ("\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef")


def _belongs(name: str, place: int) -> bool:
    """Whether what cannot be seen itself does what it is for between its neighbours."""
    before, after = name[place - 1 : place] if place else "", name[place + 1 : place + 2]
    if name[place] in _STYLES:
        return before != "" and unicodedata.category(before).startswith("S")
    if name[place] in _JOINERS and before and after:
        return _script(before) == _script(after) in _JOINED
    return False


def _script(character: str) -> str:
    """The first word of a letter's or a mark's name in Unicode; "" of others."""
    if unicodedata.category(character)[0] not in "LM":
        return ""
    return unicodedata.name(character, "").partition(" ")[0]
