"""Key pairs made here, and private keys pasted into a form: what is wrong with one is said in words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.ssh import KeyNotReadable, make_key_pair, public_line
from nodes.ssh.keys import login_key

PAIR = make_key_pair("panel@example")
# The head of a key as PuTTYgen 0.78 saves it.
PUTTY = """\
PuTTY-User-Key-File-3: ssh-ed25519
Encryption: none
Comment: eddsa-key-20240101
Public-Lines: 2
AAAAC3NzaC1lZDI1NTE5AAAAIKyZ1Jb7x2sLk3Q0b8X0m6u1i4m3kqTn0n0m2n4o
Yd0a
Private-Lines: 1
AAAAIJx
Private-MAC: 00
"""


def keygen(folder: Path, *options: str) -> tuple[str, str]:
    """Private and public text of a key made by ssh-keygen."""
    subprocess.run(["ssh-keygen", "-q", "-C", "", "-f", folder / "key", *options], check=True)
    return (folder / "key").read_text(), (folder / "key.pub").read_text().strip()


def reason_of(text: str, passphrase: str = "") -> str:
    with pytest.raises(KeyNotReadable) as caught:
        public_line(text, passphrase)
    assert caught.value.sentence
    return caught.value.reason


def test_ssh_keygen_agrees_with_a_pair_made_here(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(PAIR.private)
    (tmp_path / "key").chmod(0o600)
    derived = subprocess.run(
        ["ssh-keygen", "-y", "-f", tmp_path / "key"], capture_output=True, text=True, check=True
    )

    assert PAIR.public.startswith("ssh-ed25519 ")
    assert PAIR.public.split()[:2] == derived.stdout.split()[:2]
    assert PAIR.public.endswith(" panel@example")


def test_every_pair_is_another() -> None:
    assert make_key_pair().private != make_key_pair().private


def test_a_comment_cannot_add_a_second_key() -> None:
    line = make_key_pair("evil\nssh-ed25519 AAAA root").public

    assert "\n" not in line


def test_a_pair_can_have_a_passphrase() -> None:
    pair = make_key_pair("", passphrase="open sesame")

    assert public_line(pair.private, "open sesame") == pair.public
    assert reason_of(pair.private) == "passphrase_needed"


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ed25519", "-N", ""),
        ("-t", "ecdsa", "-b", "256", "-N", "open sesame"),
        ("-t", "rsa", "-b", "2048", "-N", "open sesame"),
        ("-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""),
        ("-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame"),
        ("-t", "ecdsa", "-b", "521", "-m", "PKCS8", "-N", "open sesame"),
    ],
    ids=lambda options: "-".join(word for word in options if word.strip("-")).replace(" ", "_"),
)
def test_it_reads_what_ssh_keygen_writes(tmp_path: Path, options: tuple[str, ...]) -> None:
    private, public = keygen(tmp_path, *options)
    passphrase = options[-1]

    assert public_line(private, passphrase) == public
    assert login_key(private, passphrase).get_base64() == public.split()[1]
    if passphrase:
        assert reason_of(private) == "passphrase_needed"
        assert reason_of(private, "wrong one") == "passphrase_wrong"
    else:
        assert reason_of(private, "needless") == "passphrase_wrong"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n\n  " + text.replace("\n", "  \n  ") + "\n\n",
        lambda text: text.rstrip("\n"),
    ],
    ids=["windows-line-ends", "blanks", "no-last-line-end"],
)
def test_it_mends_what_pasting_does(spoil: object) -> None:
    assert public_line(spoil(PAIR.private)) == PAIR.public.removesuffix(" panel@example")  # type: ignore[operator]


@pytest.mark.parametrize("text", ["", "  \n "], ids=["empty", "blank"])
def test_nothing_is_told_so(text: str) -> None:
    assert reason_of(text) == "empty"


@pytest.mark.parametrize(
    "text",
    [
        PAIR.public,
        "ecdsa-sha2-nistp256 AAAA comment",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----",
    ],
    ids=["ed25519", "ecdsa", "pem", "ssh2"],
)
def test_a_public_key_pasted_by_mistake_is_told_so(text: str) -> None:
    assert reason_of(text) == "public_key"


def test_a_putty_key_is_told_so() -> None:
    with pytest.raises(KeyNotReadable, match="Export OpenSSH key") as caught:
        public_line(PUTTY)

    assert caught.value.reason == "putty"


def test_a_certificate_is_told_so() -> None:
    assert reason_of("ssh-ed25519-cert-v01@openssh.com AAAA user") == "certificate"


@pytest.mark.parametrize(
    "text",
    [
        PAIR.private[:-60],
        PAIR.private[: len(PAIR.private) // 2],
        PAIR.private.replace("A", "B", 20),
        "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "just some words",
    ],
    ids=["no-end", "half", "changed", "nothing-inside", "rsa-rubbish", "x509", "words"],
)
def test_a_damaged_key_is_told_so(text: str) -> None:
    assert reason_of(text) == "damaged"


def test_a_key_of_an_unsupported_type_is_told_so(tmp_path: Path) -> None:
    pem = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "x25519"], capture_output=True, text=True, check=True
    )

    assert reason_of(pem.stdout) == "unsupported"


@settings(max_examples=200)
@given(st.integers(0, len(PAIR.private)), st.integers(0, len(PAIR.private)), st.text(max_size=10))
def test_no_change_of_a_key_breaks_the_reader(start: int, end: int, between: str) -> None:
    text = PAIR.private[:start] + between + PAIR.private[end:]
    try:
        public_line(text)
    except KeyNotReadable as error:
        assert error.sentence


@given(st.text(), st.text(max_size=20))
def test_no_text_breaks_the_reader(text: str, passphrase: str) -> None:
    with pytest.raises(KeyNotReadable):
        public_line(text, passphrase)
    with pytest.raises(KeyNotReadable):
        public_line("-----BEGIN OPENSSH PRIVATE KEY-----\n" + text, passphrase)
