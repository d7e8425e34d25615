"""Keys and passwords show up nowhere: not in repr, not in errors, not in tracebacks, not in logs."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback

import pytest

from nodes.commands import Command
from nodes.ssh import Credential, HostKey, Pool, SshError, Target, make_key_pair
from nodes.ssh.errors import CommandTimeout, HostKeyChanged
from tests.ssh import listeners
from tests.ssh.conftest import StartSshd
from tests.sshd import PASSWORD, Sshd

TRUE = Command(("true",))
SECRET = "swordfish-92"


def body(private: str) -> list[str]:
    """The lines of a key that are secret."""
    return private.splitlines()[2:-1]


def test_repr_shows_what_there_is_but_not_what_it_says() -> None:
    pair = make_key_pair(passphrase=SECRET)
    credential = Credential(private_key=pair.private, passphrase=SECRET, password=SECRET + "x")
    target = Target("node1", "root", credential, ())

    for shown in (repr(credential), str(credential), repr(target), str(target), f"{target!r:>5}", repr(pair)):
        assert SECRET not in shown
        assert not [line for line in body(pair.private) if line in shown]
    assert repr(credential) == "Credential(private_key, password)"
    assert repr(Credential()) == "Credential(empty)"
    assert SECRET not in target.version


def test_the_version_changes_with_every_secret() -> None:
    versions = {
        Target("node1", "root", credential, keys, legacy=legacy).version
        for credential in (
            Credential(password="ab"),
            Credential(private_key="ab"),
            Credential(private_key="a", password="b"),
            Credential(private_key="a", passphrase="b"),
        )
        for keys in ((), (HostKey("ssh-ed25519", "AAAA"),))
        for legacy in (False, True)
    }

    assert len(versions) == 16


def deep(error: BaseException) -> str:
    """A traceback with everything that the interpreter still knows: causes, contexts, local variables."""
    parts = []
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None:
            continue
        todo += [one.__cause__, one.__context__]
        parts += traceback.TracebackException.from_exception(one, capture_locals=True).format()
        parts += [repr(one), str(one), repr(vars(one))]
    return "".join(parts)


@pytest.mark.parametrize("fresh", [False, True])
def test_errors_of_a_login_carry_no_secret(start_sshd: StartSshd, pool: Pool, fresh: bool) -> None:
    sshd = start_sshd("PasswordAuthentication yes")
    strange = make_key_pair(passphrase=SECRET)
    credentials = (
        Credential(password=SECRET),
        Credential(private_key=strange.private, passphrase=SECRET, password=SECRET),
        Credential(private_key=strange.private, passphrase=SECRET[:-1]),
        Credential(private_key=strange.private[:-60], passphrase=SECRET),
    )
    for credential in credentials:
        with pytest.raises(SshError) as caught:
            pool.run(sshd.target(credential=credential), TRUE, fresh=fresh)

        # The frames of this test are not the transport's.
        own = caught.value.with_traceback(caught.value.__traceback__.tb_next)  # type: ignore[union-attr]
        shown = deep(own)
        assert "nodes/ssh" in shown
        assert SECRET[:-1] not in shown
        assert not [line for line in body(strange.private) if line in shown]


def test_errors_of_a_handshake_or_a_run_carry_no_secret(sshd: Sshd, pool: Pool) -> None:
    with listeners.listener(listeners.says(b"220 mail\r\n" * 200)) as (address, port):
        credential = Credential(password=SECRET)
        with pytest.raises(SshError) as refused:
            pool.run(sshd.target(address=address, port=port, credential=credential), TRUE, deadline_s=2)
    with pytest.raises(CommandTimeout) as cut:
        pool.run(
            sshd.target(), Command(("sh", "-c", "exec sleep 9", SECRET), SECRET.encode()), deadline_s=0.3
        )

    assert SECRET not in refused.value.sentence
    assert SECRET not in "".join(traceback.format_exception(cut.value))
    assert SECRET not in repr(cut.value)


def test_logs_carry_no_secret_even_at_debug(
    start_sshd: StartSshd, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    sshd = start_sshd("PasswordAuthentication yes")
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "paramiko"):
        caplog.set_level(logging.DEBUG, "paramiko.transport")
        pool.run(sshd.target(credential=Credential(password=PASSWORD)), TRUE)
        with pytest.raises(SshError):
            pool.run(sshd.target(credential=Credential(password=SECRET)), TRUE)

    assert "paramiko" in {record.name.split(".")[0] for record in caplog.records}
    assert PASSWORD not in caplog.text
    assert SECRET not in caplog.text


def test_paramiko_is_quiet_unless_told_otherwise(
    sshd: Sshd, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    assert logging.getLogger("paramiko").level >= logging.WARNING
    with listeners.listener(listeners.hangs_up) as (address, port), pytest.raises(SshError):
        pool.run(sshd.target(address=address, port=port), TRUE)

    assert [record for record in caplog.records if record.name.startswith("paramiko")] == []


def test_errors_survive_being_copied_and_pickled() -> None:
    new = HostKey("ssh-ed25519", "AAAA")
    changed = HostKeyChanged("changed", old=(), new=new)
    error = SshError("sentence", reason="why", retryable=True, started=True)

    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert (again.sentence, again.reason, again.retryable, again.started) == (
            "sentence",
            "why",
            True,
            True,
        )
    for again in (copy.copy(changed), pickle.loads(pickle.dumps(changed))):  # noqa: S301
        assert (again.sentence, again.new, again.reason) == ("changed", new, "host_key_changed")
