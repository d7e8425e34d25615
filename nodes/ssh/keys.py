"""Private keys for logins: a new pair made here, or one that somebody pasted into a form."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import lru_cache

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from nodes.ssh.errors import KeyNotReadable

_PUBLIC = ("ssh-ed25519 ", "ssh-rsa ", "ssh-dss ", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")
_OPENSSH_BEGIN = "-----BEGIN OPENSSH PRIVATE KEY-----"
_PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key pair as text: `private` in OpenSSH's PEM form, `public` as the line for authorized_keys."""

    private: str = field(repr=False)
    public: str


def make_key_pair(comment: str = "vnetpanel", passphrase: str = "") -> KeyPair:
    """A new ed25519 pair; the private half is encrypted if a passphrase is given."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        Encoding.PEM,
        PrivateFormat.OpenSSH,
        BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption(),
    ).decode()
    return KeyPair(private=private, public=_public_line(key, comment))


def public_line(text: str, passphrase: str = "", comment: str = "") -> str:
    """The authorized_keys line of a pasted private key; raises KeyNotReadable with what to paste instead.

    Also the check of a form: a key that passes here can be used for a login.
    """
    return _public_line(_read(text, passphrase), comment)


@lru_cache(maxsize=64)
def login_key(text: str, passphrase: str = "") -> paramiko.PKey:
    """The key as paramiko wants it; raises KeyNotReadable.

    Remembered, because opening an encrypted key costs some 100 ms of CPU on purpose.
    """
    key = _read(text, passphrase)
    plain = io.StringIO(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return paramiko.Ed25519Key.from_private_key(plain)
    if isinstance(key, rsa.RSAPrivateKey):
        return paramiko.RSAKey.from_private_key(plain)
    return paramiko.ECDSAKey.from_private_key(plain)


def forget_opened() -> None:
    """Forget the keys that `login_key` remembers; they are opened anew when they are next used."""
    login_key.cache_clear()


def _public_line(key: _PrivateKey, comment: str) -> str:
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    # One line is one key: a line break in the comment would add a second entry to authorized_keys.
    return " ".join([line, *comment.split()])


def _read(text: str, passphrase: str) -> _PrivateKey:
    """The private key in a text, line ends and blanks around it mended."""
    lines = [line.strip() for line in text.strip().splitlines()]
    pem = "\n".join(lines) + "\n"
    _refuse_other_things(pem)
    load = load_ssh_private_key if pem.startswith(_OPENSSH_BEGIN) else load_pem_private_key
    failure: KeyNotReadable
    try:
        key = load(pem.encode(), passphrase.encode() or None)
    except (TypeError, ValueError, NotImplementedError, UnsupportedAlgorithm) as error:
        failure = _explain(error, pem, bool(passphrase))
    else:
        if isinstance(key, _PrivateKey):
            return key
        failure = _unsupported()
    # Raised outside the except block: the cause's frames hold the key's text.
    raise failure


def _refuse_other_things(text: str) -> None:
    """Name the things that people paste by mistake."""
    if not text.strip():
        raise KeyNotReadable("Paste a private key, or let the panel make one.", reason="empty")
    if text.startswith("PuTTY-User-Key-File"):
        raise KeyNotReadable(
            "This is a key in PuTTY's own format. Open it in PuTTYgen, choose Conversions, Export OpenSSH"
            " key, and paste the exported file.",
            reason="putty",
        )
    if "-cert-v01@openssh.com " in text.split("\n", 1)[0]:
        raise KeyNotReadable(
            "This is a certificate. Paste the private key, the file without -cert.pub in its name.",
            reason="certificate",
        )
    if text.startswith((*_PUBLIC, "---- BEGIN SSH2 PUBLIC KEY", "-----BEGIN PUBLIC KEY")):
        raise KeyNotReadable(
            "This is a public key. Paste the private key, the file without .pub in its name;"
            " it begins with -----BEGIN.",
            reason="public_key",
        )
    if not text.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in text.split("\n", 1)[0]:
        raise KeyNotReadable(
            "This is not a private key. It begins with -----BEGIN OPENSSH PRIVATE KEY----- or the like;"
            " paste the whole file.",
            reason="damaged",
        )


def _unsupported() -> KeyNotReadable:
    return KeyNotReadable(
        "Keys of this type are not supported. Use an ed25519, ECDSA or RSA key.", reason="unsupported"
    )


def _explain(error: Exception, pem: str, with_passphrase: bool) -> KeyNotReadable:
    """What a loader's exception means for the person who pasted the key."""
    if isinstance(error, UnsupportedAlgorithm) or str(error).startswith("Unsupported"):
        return _unsupported()
    if isinstance(error, TypeError) and not with_passphrase:
        return KeyNotReadable(
            "This key is protected by a passphrase. Enter the passphrase as well.", reason="passphrase_needed"
        )
    if isinstance(error, TypeError):
        return KeyNotReadable(
            "This key has no passphrase. Leave the passphrase empty.", reason="passphrase_wrong"
        )
    complete = "-----END " in pem
    if with_passphrase and complete:
        return KeyNotReadable(
            "The passphrase does not open this key. Enter it again, or paste the key again.",
            reason="passphrase_wrong",
        )
    return KeyNotReadable(
        "This private key is cut off or damaged. Paste the whole file, from -----BEGIN to the last -----.",
        reason="damaged",
    )
