"""Sizes of the picture, in pixels. One place, so that the picture keeps its proportions."""

from __future__ import annotations

MARGIN = 16
COLUMN_GAP = 34
COLUMN_PAD = 14
COLUMN_LEAST = 236
HEADER = 50
BOX_WIDTH = 92
BOX_HEIGHT = 60
BOX_GAP = 10
MANY_WIDTH = 128
SIGN_ROOM = 18
"""What a sign takes of the first line of a box."""
DOT_SLOT = 54
STRIP_HEIGHT = 24
ROW_GAP = 12
LANE_GAP = 22
DOT = 5
END = 16
"""How far a band reaches beyond the last thing on it."""
CLEAR = 14
"""How far boxes and the ends of bands stay from a line that is not theirs."""
PATCH = 78
"""Height between the lowest band and the lower edge of a server."""
STACK_WIDTH = 112
STACK_HEIGHT = 36
SOCKET_HEIGHT = 24
SOCKET_GAP = 12
LINES_TOP = 52
LINE_GAP = 40
HOSTS_WIDTH = 92
HOSTS_HEIGHT = 24
LABEL_SIZE = 13
"""Of 12 pixels, but bold: as wide as one of 13."""
SMALL_SIZE = 11
