"""How the panel logs in to servers, and how it knows that a server is the one it was."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from nodes.choices import HostKeyState
from nodes.querysets import CredentialQuerySet
from nodes.validators import validate_new_name
from vnetpanel.crypto import EncryptedTextField, is_set


class Credential(models.Model):
    """A login: a user name with a private key or a password, encrypted at rest.

    Forms write the secrets and never show them; `__str__` and `repr` name the login only.
    """

    name = models.CharField(max_length=100, unique=True)
    username = models.CharField(max_length=32, default="root")
    private_key = EncryptedTextField(blank=True, default="")
    passphrase = EncryptedTextField(blank=True, default="")
    password = EncryptedTextField(blank=True, default="")
    public_key = models.TextField(
        blank=True, default="", help_text="The public half, to be put into authorized_keys on the servers."
    )
    group = models.ForeignKey(
        "nodes.ServerGroup",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="credentials",
        help_text="Admins of this group may use and change it; empty: superusers only.",
    )
    by_gate = models.BooleanField(
        default=False,
        editable=False,
        help_text="Its key opens the panel's three programs on a server and nothing else (nodes/gate.py).",
    )
    changed_at = models.DateTimeField(auto_now=True)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        validate_new_name(self, Credential.objects)
        if not is_set(self, "private_key") and not is_set(self, "password"):
            raise ValidationError("Enter a private key or a password.")


class DedicatedLogin(models.Model):
    """The key that the panel made for its own user on a server, whether or not it logs in with it yet.

    `panel_addresses` are what `from=` in authorized_keys names: addresses and networks, joined by commas.
    """

    server = models.OneToOneField(
        "nodes.PhysicalServer", on_delete=models.CASCADE, related_name="dedicated_login"
    )
    credential = models.OneToOneField(Credential, on_delete=models.PROTECT, related_name="dedicated_login")
    panel_addresses = models.CharField(max_length=300)
    made_at = models.DateTimeField(auto_now_add=True)
    installed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"of {self.server}"


class HostKey(models.Model):
    """An SSH host key of a server: offered at first contact, pinned once a person approved it."""

    server = models.ForeignKey("nodes.PhysicalServer", on_delete=models.CASCADE, related_name="host_keys")
    key_type = models.CharField(max_length=40)
    base64 = models.TextField()
    sha256 = models.CharField(max_length=60, help_text="As ssh-keygen -l prints it.")
    state = models.CharField(max_length=10, choices=HostKeyState.choices, default=HostKeyState.OFFERED)
    seen_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("-seen_at",)
        constraints = (
            models.UniqueConstraint(fields=("server", "sha256"), name="host_key_unique_per_server"),
        )

    def __str__(self) -> str:
        return f"{self.key_type} {self.sha256}"
