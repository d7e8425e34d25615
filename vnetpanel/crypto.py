"""Secrets at rest: a text column encrypted with keys of its own, which fails loudly when no key fits.

The keys are not SECRET_KEY (which signs sessions and may be changed at will) and are in no database, so a
stolen database or its backup gives no password away.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from vnetpanel import env

_lock = threading.Lock()
_fernet: MultiFernet | None = None


class WrongKeyError(Exception):
    """A stored secret cannot be decrypted with any of the panel's keys."""


def load_keys() -> list[str]:
    """The keys, newest first: from VNETPANEL_KEYS (separated by commas), VNETPANEL_KEYS_FILE, or var/keys.

    var/keys (one key a line, mode 0600) is made on first use. Raises ImproperlyConfigured when there is no
    key or one is not a Fernet key.
    """
    path = Path(settings.VNETPANEL_KEYS_FILE)
    given = env.envstr("VNETPANEL_KEYS")
    if not given and not env.envstr("VNETPANEL_KEYS_FILE") and not path.exists():
        env.write_secret(path, Fernet.generate_key().decode())
    return env.envsecret("VNETPANEL_KEYS", path).replace(",", "\n").split()


def fernet() -> MultiFernet:
    """The cipher made of all keys: encrypts with the first, decrypts with any. Read once per process."""
    global _fernet
    with _lock:
        if _fernet is None:
            _fernet = build_fernet(load_keys())
        return _fernet


def build_fernet(keys: list[str]) -> MultiFernet:
    """A cipher of these keys; ImproperlyConfigured (which never quotes a key) when one is malformed."""
    if not keys:
        raise ImproperlyConfigured(
            "There is no encryption key: VNETPANEL_KEYS or var/keys must hold at least one."
        )
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "An encryption key is malformed: expected 32 bytes in URL-safe base64 (Fernet.generate_key())."
        ) from error


def forget_keys() -> None:
    """Read the keys again at the next use (after they were changed, and in tests)."""
    global _fernet
    with _lock:
        _fernet = None


def encrypt(text: str) -> str:
    """Text to token, with the newest key."""
    return fernet().encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """Token to text. WrongKeyError when no key fits or the token was changed; never the token itself."""
    try:
        return fernet().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise WrongKeyError(
            "A stored secret cannot be decrypted: none of the keys in VNETPANEL_KEYS or var/keys made it."
        ) from error


class EncryptedTextField(models.TextField):
    """A text column that holds a token while Python sees the text. Empty stays empty; no searching."""

    description = "Encrypted text"

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way to the database."""
        value = super().get_prep_value(value)
        return encrypt(value) if value else value

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        """Decrypt on the way out; WrongKeyError names no secret."""
        return decrypt(value) if value else value

    def get_lookup(self, lookup_name: str) -> Any:
        """Only `isnull` makes sense: each encryption of one text gives another token."""
        if lookup_name != "isnull":
            raise TypeError(f"{self.name} is encrypted; it cannot be looked up by {lookup_name}.")
        return super().get_lookup(lookup_name)
