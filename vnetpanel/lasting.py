"""What a process has loaded lasts as long as it does: the garbage collector need not look at it again."""

from __future__ import annotations

import gc


def keep_what_is_loaded() -> None:
    """Call once, when a process has loaded what it will run.

    A full collection would look at some 200,000 objects of the libraries each time, which takes a tenth of a
    second that one request or Change has to wait; afterwards it looks only at what came since.
    """
    gc.collect()
    gc.freeze()
