"""What logins leave behind: second factors, recovery codes, failures that were counted."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from vnetpanel.crypto import EncryptedTextField


class TwoFactor(models.Model):
    """A user's authenticator app: a shared secret, encrypted at rest. Stored once a first code was right."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="two_factor")
    secret = EncryptedTextField(help_text="Base32, as the app was given it.")
    confirmed_at = models.DateTimeField()
    last_step = models.PositiveBigIntegerField(
        default=0, help_text="The newest 30-second step whose code was accepted: a code works once."
    )

    class Meta:
        verbose_name = "second factor"
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return f"of {self.user}"


class RecoveryCode(models.Model):
    """A code that works once in place of the app. Only its digest is kept."""

    two_factor = models.ForeignKey(TwoFactor, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("two_factor", "digest"), name="recovery_code_unique_for_user"),
        )

    def __str__(self) -> str:
        return f"recovery code of {self.two_factor.user}"


class FailedLogin(models.Model):
    """A wrong password or code, counted for a while (trust/throttle.py)."""

    key = models.CharField(max_length=64, db_index=True, help_text="Digest of what is counted.")
    at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"failed login at {self.at:%Y-%m-%d %H:%M:%S}"
