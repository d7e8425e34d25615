"""Slowing down who guesses passwords and codes.

Failures are counted in the database, because web processes share nothing else that is always there; the
broker may be away. Counted are: one user name from one address, one address, and one user name from
everywhere. Past a limit nothing is tried any more until enough of the failures are old, so even the right
password is refused and a guess tells nothing.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone

from trust.audit import plain_address
from trust.models import FailedLogin

WINDOW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Counted:
    """Something whose failures are counted, and how many are too many."""

    key: str
    limit: int


def of_login(username: str, address: str) -> Sequence[Counted]:
    """What a login with a password counts against.

    The limit for a name from everywhere is high: a stranger must not lock a user out with a few tries.
    """
    name, network = username.strip().casefold(), network_of(address)
    return (
        _counted(5, "name from", name, network),
        _counted(50, "from", network),
        _counted(50, "name", name),
    )


def of_user(kind: str, user_id: int) -> Sequence[Counted]:
    """What codes and repeated passwords of one user count against."""
    return (_counted(5, kind, str(user_id)),)


def network_of(address: str) -> str:
    """An IPv4 address itself, of an IPv6 address its /64, which one machine has for itself."""
    # Written as IPv6 addresses, all IPv4 addresses lie in one /64.
    address = plain_address(address)
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return address
    return str(ipaddress.ip_network((known, 64), strict=False))


def is_locked(counted: Sequence[Counted]) -> bool:
    """Whether there were too many failures lately."""
    rows = FailedLogin.objects.filter(key__in=[one.key for one in counted], at__gt=timezone.now() - WINDOW)
    number = dict(rows.order_by().values_list("key").annotate(Count("pk")))
    return any(number.get(one.key, 0) >= one.limit for one in counted)


def failed(counted: Sequence[Counted]) -> bool:
    """Count a failure; whether it was the one that locks. Old ones are swept away."""
    was_locked, now = is_locked(counted), timezone.now()
    FailedLogin.objects.filter(at__lt=now - WINDOW).delete()
    FailedLogin.objects.bulk_create(FailedLogin(key=one.key, at=now) for one in counted)
    return not was_locked and is_locked(counted)


def succeeded(counted: Sequence[Counted]) -> None:
    """Forget the failures of the narrowest kind: her own mistakes on the way in."""
    FailedLogin.objects.filter(key=counted[0].key).delete()


def _counted(limit: int, *parts: str) -> Counted:
    return Counted(hashlib.sha256("\0".join(parts).encode()).hexdigest(), limit)
