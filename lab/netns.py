"""Network namespaces of the lab, and how a process becomes a resident of the panel's one.

Named namespaces (``ip netns``) are used so that a person can look inside with ``ip netns exec``.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError
from lab.place import Place, default_place
from lab.shell import attempt, run

NAMED = Path("/run/netns")
_CLONE_NEWNET = 0x40000000  # <linux/sched.h>


def exists(name: str) -> bool:
    """True if ``name`` is a usable network namespace.

    A killed ``ip netns add`` leaves an empty plain file behind; that one does not count.
    """
    path = NAMED / name
    return path.exists() and path.stat().st_dev != NAMED.stat().st_dev


def create(name: str) -> None:
    """Make the namespace ``name`` with its loopback up, or leave it alone if it is there."""
    if not exists(name):
        (NAMED / name).unlink(missing_ok=True)
        run(["ip", "netns", "add", name])
    run(["ip", "-n", name, "link", "set", "lo", "up"])


def delete(name: str) -> None:
    """Remove the namespace ``name``; devices in it go with the last process that lives there."""
    if (NAMED / name).exists():
        attempt(["ip", "netns", "del", name])
        (NAMED / name).unlink(missing_ok=True)


def here() -> int:
    """The calling thread's namespace, open: it can be entered again when the thread has left."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter(name: str) -> None:
    """Move the calling thread, and every thread or process it starts from now on, into ``name``.

    Threads that run already stay where they are (setns(2) works per thread): call it early.
    """
    try:
        descriptor = os.open(NAMED / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise LabError(f"There is no network namespace {name}; is the lab up?") from None
    try:
        enter_open(descriptor)
    except OSError as error:
        raise LabError(f"Cannot enter the network namespace {name}: {error.strerror}") from None
    finally:
        os.close(descriptor)


def enter_open(descriptor: int) -> None:
    """Move the calling thread into a namespace held open (see ``here``); one that is there already stays.

    Python 3.11 has no os.setns, hence ctypes. Raises OSError where it is not permitted.
    """
    there = here()
    try:
        if os.path.sameopenfile(there, descriptor):
            return
    finally:
        os.close(there)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(number := ctypes.get_errno(), os.strerror(number))


@contextmanager
def inside(where: str | int) -> Iterator[None]:
    """The calling thread, and what it starts meanwhile, in a namespace of that name or held open.

    Whatever else is entered meanwhile, the thread ends where it began.
    """
    home = here()
    try:
        enter(where) if isinstance(where, str) else enter_open(where)
        yield
    finally:
        try:
            enter_open(home)
        finally:
            os.close(home)


def enter_panel(place: Place | None = None) -> None:
    """Become a resident of the lab's panel namespace (10.77.0.254), from where servers answer."""
    enter((place or default_place()).namespace("panel"))


def exec_prefix(place: Place, role: str = "panel") -> list[str]:
    """Words to put before a command so that it runs in the namespace of ``role``."""
    return ["ip", "netns", "exec", place.namespace(role)]
