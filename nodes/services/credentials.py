"""Logins. Secrets are written here and never read back by a page: an empty field keeps what is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, count

from django.db import IntegrityError, transaction

from nodes.choices import Role
from nodes.models import Credential, ServerGroup
from nodes.querysets import AnyUser
from nodes.services.errors import ServiceError, check, refused_if_in_use, require_role
from nodes.ssh import keys
from nodes.ssh.errors import KeyNotReadable


@dataclass(frozen=True, slots=True)
class Secrets:
    """Secrets as typed in; empty ones keep what is stored. Its repr shows none of them."""

    private_key: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def free_name(name: str) -> str:
    """A name that no stored login has: the login of a removed server stays behind when that is added anew."""
    taken = set(Credential.objects.filter(name__startswith=name).values_list("name", flat=True))
    numbered = (f"{name} ({number})" for number in count(2))
    return next(free for free in chain([name], numbered) if free not in taken)


def create_credential(
    user: AnyUser, *, name: str, username: str, secrets: Secrets, group: ServerGroup | None = None
) -> Credential:
    """Store a login with a private key or a password; needs the admin role in its group."""
    require_role(user, Role.ADMIN, group)
    credential = Credential(name=name.strip(), username=username.strip(), group=group)
    return save_credential(credential, secrets)


def create_key_credential(
    user: AnyUser, *, name: str, username: str, group: ServerGroup | None = None
) -> Credential:
    """Make an ed25519 key pair and store it as a login; its public half is for authorized_keys."""
    require_role(user, Role.ADMIN, group)
    pair = keys.make_key_pair(comment="vnetpanel")
    credential = Credential(name=name.strip(), username=username.strip(), group=group)
    return save_credential(credential, Secrets(private_key=pair.private))


def change_credential(
    user: AnyUser,
    credential: Credential,
    *,
    name: str | None = None,
    username: str | None = None,
    secrets: Secrets | None = None,
) -> Credential:
    """Change a login; needs the admin role in its group. Servers use it from their next connection on."""
    require_role(user, Role.ADMIN, credential.group)
    if name is not None:
        credential.name = name.strip()
    if username is not None:
        credential.username = username.strip()
    return save_credential(credential, secrets or Secrets())


def remove_credential(user: AnyUser, credential: Credential) -> None:
    """Remove a login that no server uses; else refused, naming the servers."""
    require_role(user, Role.ADMIN, credential.group)
    with transaction.atomic(), refused_if_in_use(f"The credential {credential}"):
        credential.delete()


def set_secrets(credential: Credential, secrets: Secrets) -> None:
    """Put typed-in secrets into a login, checked, without saving it; ServiceError names the bad field."""
    if secrets.private_key:
        try:
            credential.public_key = keys.public_line(secrets.private_key, secrets.passphrase, "vnetpanel")
        except KeyNotReadable as error:
            field = "passphrase" if error.reason.startswith("passphrase") else "private_key"
            raise ServiceError(error.sentence, field) from None
        credential.private_key = secrets.private_key
        credential.passphrase = secrets.passphrase
    elif secrets.passphrase:
        raise ServiceError(
            "A passphrase is stored together with its private key: paste the key as well.", "passphrase"
        )
    if secrets.password:
        credential.password = secrets.password


def save_credential(credential: Credential, secrets: Secrets) -> Credential:
    """Check and store; no permission is asked here, for the admin has its own."""
    set_secrets(credential, secrets)
    taken = ServiceError(
        f'There is a credential named "{credential.name}" already. Enter another name.', "name"
    )
    if Credential.objects.filter(name=credential.name).exclude(pk=credential.pk).exists():
        raise taken
    check(credential)
    try:
        with transaction.atomic():
            credential.save()
    except IntegrityError:
        raise taken from None
    return credential
