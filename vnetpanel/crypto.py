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
from django.db.models.query_utils import DeferredAttribute

from vnetpanel import env

_lock = threading.Lock()
_fernet: MultiFernet | None = None
_read_at: tuple[int, int] | None = None
"""When the file of keys was last changed, and its size, as it was read."""


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
    global _fernet, _read_at
    with _lock:
        if _fernet is None:
            # Asked first: what changes between the two is read again at the next use.
            _read_at = _changed_at()
            _fernet = build_fernet(load_keys())
        return _fernet


def _changed_at() -> tuple[int, int] | None:
    path = env.envstr("VNETPANEL_KEYS_FILE") or settings.VNETPANEL_KEYS_FILE
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


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
    """Text to token, with the newest key, also if it was put into the file since this process started."""
    if _fernet is not None and _changed_at() != _read_at:
        forget_keys()
    return fernet().encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """Token to text. WrongKeyError when no key fits or the token was changed; never the token itself."""
    for cipher in (fernet, _reread):
        try:
            return cipher().decrypt(token.encode()).decode()
        except InvalidToken:
            continue
    raise WrongKeyError(
        "A stored secret cannot be decrypted: none of the keys in VNETPANEL_KEYS or var/keys made it."
    )


def _reread() -> MultiFernet:
    """The keys as they are now: a new one may have been put in front since this process started."""
    forget_keys()
    return fernet()


class Token(str):
    """What the database holds, on its way to whoever opens it. Its repr is no secret: it is encrypted."""


def is_set(row: models.Model, column: str) -> bool:
    """Whether the row has such a secret, without opening it."""
    held = row.__dict__
    return bool(held[column] if column in held else getattr(row, column))


class _Opened(DeferredAttribute):
    """A column of a model: decrypted when somebody asks for it, so that pages which only name a row need no
    key, and one row that no key fits does not take the others' pages away."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Token):
            value = instance.__dict__[self.field.attname] = decrypt(value)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        """As without a descriptor; with it, reading asks `__get__` even where the instance has the value."""
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):
    """A text column that holds a token while Python sees the text. Empty stays empty; no searching."""

    description = "Encrypted text"
    descriptor_class = _Opened

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way to the database; what was not opened goes back as it came."""
        if isinstance(value, Token):
            return str(value)
        value = super().get_prep_value(value)
        return encrypt(value) if value else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """The column as it is, without opening it."""
        held = model_instance.__dict__
        return held[self.attname] if self.attname in held else getattr(model_instance, self.attname)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        """The token; `values()` gives it as it is, an attribute opens it (or raises WrongKeyError)."""
        return Token(value) if value else value

    def get_lookup(self, lookup_name: str) -> Any:
        """Only `isnull` makes sense: each encryption of one text gives another token."""
        if lookup_name != "isnull":
            raise TypeError(f"{self.name} is encrypted; it cannot be looked up by {lookup_name}.")
        return super().get_lookup(lookup_name)
