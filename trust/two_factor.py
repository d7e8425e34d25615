"""The second factor: codes of an authenticator app (RFC 6238), and recovery codes for when it is lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from trust.audit import record
from trust.models import RecoveryCode, TwoFactor

STEP_S, DIGITS = 30, 6
"""What every authenticator app assumes; some ignore other values in silence."""
ISSUER = "Virtual networks"
NUMBER_OF_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def is_on(user: User) -> bool:
    """Whether the user logs in with a code."""
    return TwoFactor.objects.filter(user_id=user.pk).exists()


def new_secret() -> str:
    """A secret for an authenticator app: 160 random bits in base32."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def address_for_app(user: User, secret: str) -> str:
    """What the QR code says: otpauth://totp/…"""
    return _totp(secret).get_provisioning_uri(user.get_username(), ISSUER)


def confirm(user: User, secret: str, code: str) -> list[str] | None:
    """Switch the second factor on if the code is the secret's of now; the recovery codes, shown this once.

    None: the code is wrong, or the user has a second factor already.
    """
    step = matching_step(secret, code, time.time())
    if step is None or is_on(user):
        return None
    with transaction.atomic():
        row = TwoFactor.objects.create(
            user_id=user.pk, secret=secret, confirmed_at=timezone.now(), last_step=step
        )
        return _new_codes(row)


def new_recovery_codes(user: User) -> list[str]:
    """Ten new codes in place of those before, shown this once."""
    with transaction.atomic():
        codes = _new_codes(TwoFactor.objects.get(user_id=user.pk))
        record("recovery_codes.made", f"{user.get_username()} made new recovery codes.", actor=user)
    return codes


def switch_off(user: User) -> None:
    """Forget the app and the recovery codes."""
    for row in TwoFactor.objects.filter(user_id=user.pk):
        row.delete()


def check(user: User, code: str) -> bool:
    """Whether this is a code of the user's app or one of her recovery codes; either works once."""
    row = TwoFactor.objects.filter(user_id=user.pk).first()
    if row is None:
        return False
    if _accept(row, code):
        return True
    used, _ = RecoveryCode.objects.filter(two_factor=row, digest=_digest(row, code)).delete()
    if used:
        left = row.recovery_codes.count()
        record(
            "recovery_code.used", f"{user.get_username()} used a recovery code; {left} are left.", actor=user
        )
    return bool(used)


def _accept(row: TwoFactor, code: str) -> bool:
    """Whether the code is that of now or of a step beside it, and newer than any accepted before."""
    step = matching_step(row.secret, code, time.time())
    if step is None:
        return False
    # Compare and swap: of two requests with one code, one gets in.
    return bool(TwoFactor.objects.filter(pk=row.pk, last_step__lt=step).update(last_step=step))


def matching_step(secret: str, code: str, now: float) -> int | None:
    """The 30-second step whose code this is: now's, or one before or after, as clocks differ."""
    digits = "".join(code.split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    totp, step = _totp(secret), int(now) // STEP_S
    for near in (step, step - 1, step + 1):
        if hmac.compare_digest(totp.generate(near * STEP_S).decode(), digits):
            return near
    return None


def _totp(secret: str) -> TOTP:
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_S)  # noqa: S303  what the apps speak


def _new_codes(row: TwoFactor) -> list[str]:
    row.recovery_codes.all().delete()
    codes = ["-".join(_letters(5) for _ in range(3)) for _ in range(NUMBER_OF_CODES)]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(two_factor=row, digest=_digest(row, code)) for code in codes
    )
    return codes


def _letters(number: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(number))


def _digest(row: TwoFactor, code: str) -> str:
    """A fast digest will do: a code holds 74 random bits, which no list of likely ones shortens."""
    plain = "".join(letter for letter in code.lower() if letter in _LETTERS)
    return hashlib.sha256(f"{row.pk}:{plain}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code as one SVG path, four modules of white around it."""

    size: int
    path: str


def qr_code(text: str) -> QrCode:
    """The text as squares; the page draws them, so no script and no foreign image is needed."""
    import segno

    rows = [list(row) for row in segno.make_qr(text, error="m").matrix]
    path = "".join(
        f"M{x + 4} {y + 4}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark
    )
    return QrCode(len(rows) + 8, path)
