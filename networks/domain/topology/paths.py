"""Paths, in the notation that SVG has for them."""

from __future__ import annotations

from itertools import pairwise

from networks.domain.topology.picture import Frame


def neighbours(xs: list[int]) -> list[tuple[int, int]]:
    ordered = sorted(xs)
    return list(pairwise(ordered))


def arc(a: int, b: int, y: int) -> str:
    return f"M{a} {y}A{(b - a) / 2:g} 15 0 0 1 {b} {y}"


def stack_link(stack: Frame, socket: Frame) -> str:
    """From the side of the stack that faces the socket to its top, beside where a band drops into it."""
    y = stack.y + stack.height // 2
    if socket.x >= stack.right:
        x = socket.x + 12
        return f"M{stack.right} {y}H{x - 6}Q{x} {y} {x} {y + 6}V{socket.y}"
    x = socket.right - 12
    return f"M{stack.x} {y}H{x + 6}Q{x} {y} {x} {y + 6}V{socket.y}"


def band_paths(frame: Frame, runs_left: bool, runs_right: bool) -> tuple[str, str]:
    """The filled shape of a band and its edge; ends are round, an end that runs on is open."""
    r = frame.height // 2
    x1, x2, y1, y2 = frame.x, frame.right, frame.y, frame.bottom
    start = x1 if runs_left else x1 + r
    end = x2 if runs_right else x2 - r
    right = f"H{x2}" if runs_right else f"H{end}A{r} {r} 0 0 1 {end} {y2}"
    fill = f"M{start} {y1}{right}" + (f"V{y2}" if runs_right else "") + f"H{start}"
    fill += "Z" if runs_left else f"A{r} {r} 0 0 1 {start} {y1}Z"
    edge = f"M{start} {y1}{right}" + (f"M{x2} {y2}" if runs_right else "") + f"H{start}"
    edge += "" if runs_left else f"A{r} {r} 0 0 1 {start} {y1}"
    return fill, edge
