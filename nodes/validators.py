"""Checks of typed-in values that more than one form or model needs."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from django.core.exceptions import ValidationError

from nodes.visible_names import as_seen, unseen_in

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\Z")
_LINK = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}\Z")


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
    """Refuse a name that people cannot see as it is."""
    if fault := unseen_in(value):
        raise ValidationError(f"This {fault}. Enter it without that.")


def validate_new_name(row: Any, others: Any) -> None:
    """Refuse a row's new `name` that people cannot see as it is, or that looks like one of the others'.

    `others` is a queryset of the rows that it is told from. A name that stays where it is stays as it is:
    other changes do not wait for a better one. Raises ValidationError of "name".
    """
    stored = type(row)._base_manager.filter(pk=row.pk).values_list("name", flat=True).first()
    if stored != row.name:
        try:
            validate_visible_name(row.name)
        except ValidationError as error:
            raise ValidationError({"name": error}) from None
    elif others.filter(pk=row.pk).exists():
        return
    names = others.exclude(pk=row.pk).values_list("name", flat=True)
    seen = as_seen(row.name)
    # The very same one is refused by its constraint, and an empty one by the form.
    twins = (name for name in names if seen and as_seen(name) == seen and name != row.name)
    if twin := next(twins, None):
        raise ValidationError(
            {"name": f"There is “{twin}” already, which looks the same. Enter another name."}
        )
