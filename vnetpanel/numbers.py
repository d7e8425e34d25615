"""Numbers in what a browser sends: anybody can send anything."""

from __future__ import annotations

from collections.abc import Iterable

DIGITS_AT_MOST = 18
"""Fewer than a database's largest integer has: a longer number names no row, and SQLite would not take it."""


def is_number(text: str) -> bool:
    """Whether the text is a whole number, not negative, that may name a row."""
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_AT_MOST


def number(text: str) -> int | None:
    """The whole number; None where there is none, or one that names no row."""
    return int(text) if is_number(text) else None


def numbers(texts: Iterable[str]) -> list[int]:
    """The whole numbers among the texts, in their order; everything else is passed over."""
    return [int(text) for text in texts if is_number(text)]
