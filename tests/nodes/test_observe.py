"""Looking at a server over a real sshd: what is stored, what is sent, what is not."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from nodes import observe
from nodes.choices import HostKeyState, ServerState
from nodes.models import Adapter, Container, HostKey, Look, PhysicalServer
from nodes.services import approve_host_key, preflight
from nodes.signals import looked
from tests.sshd import Sshd

pytestmark = pytest.mark.django_db


def test_a_look_stores_the_server(reachable: PhysicalServer) -> None:
    assert observe.observe(reachable.pk)
    reachable.refresh_from_db()
    assert (reachable.state, reachable.state_reason) == (ServerState.OK, "")
    assert reachable.hostname == os.uname().nodename
    assert reachable.kernel == os.uname().release
    assert reachable.look_claimed_until is None
    assert reachable.next_look_at is not None and reachable.next_look_at > timezone.now()
    assert Look.objects.get(server=reachable).duration_ms > 0


def test_each_look_is_exactly_one_exec_over_one_login(sshd: Sshd, reachable: PhysicalServer) -> None:
    for number in (1, 2, 3):
        observe.observe(reachable.pk)
        assert (sshd.commands, sshd.sessions, sshd.logins) == (number, number, 1)


def test_a_look_tells_who_listens(reachable: PhysicalServer) -> None:
    heard: list[int] = []

    def listen(looks: Any, **more: Any) -> None:
        heard.extend(look.server_id for look in looks)

    looked.connect(listen)
    try:
        facts = observe.look(reachable)
    finally:
        looked.disconnect(listen)
    assert heard == [reachable.pk]
    assert facts.hostname == os.uname().nodename


def test_a_server_that_somebody_looks_at_is_left_alone(sshd: Sshd, reachable: PhysicalServer) -> None:
    PhysicalServer.objects.update(look_claimed_until=timezone.now() + timedelta(seconds=9))
    assert not observe.observe(reachable.pk)
    assert sshd.connections == 0


def test_a_claim_of_a_dead_worker_runs_out(reachable: PhysicalServer) -> None:
    PhysicalServer.objects.update(look_claimed_until=timezone.now() - timedelta(seconds=1))
    assert observe.observe(reachable.pk)
    assert PhysicalServer.objects.get().state == ServerState.OK


def test_a_request_is_done_with_after_the_look_and_not_before(reachable: PhysicalServer) -> None:
    PhysicalServer.objects.update(look_requested_at=timezone.now() - timedelta(seconds=1))
    observe.observe(reachable.pk)
    assert PhysicalServer.objects.get().look_requested_at is None
    later = timezone.now() + timedelta(minutes=1)
    PhysicalServer.objects.update(look_requested_at=later)
    observe.observe(reachable.pk)
    assert PhysicalServer.objects.get().look_requested_at == later


def test_disabled_and_windows_servers_are_not_looked_at(
    sshd: Sshd, reachable: PhysicalServer, windows: PhysicalServer
) -> None:
    PhysicalServer.objects.filter(pk=reachable.pk).update(is_enabled=False)
    assert not observe.observe(reachable.pk)
    assert not observe.observe(windows.pk)
    assert sshd.connections == 0


def test_nothing_is_sent_to_a_server_without_an_approved_key(
    sshd: Sshd, reachable: PhysicalServer, group_admin: Any
) -> None:
    HostKey.objects.all().delete()
    PhysicalServer.objects.update(state=ServerState.NEW)
    observe.observe(reachable.pk)
    [key] = HostKey.objects.all()
    assert (key.state, key.sha256) == (HostKeyState.OFFERED, sshd.host_keys[0].sha256)
    assert sshd.logins == sshd.commands == 0
    # sshd names the user in these lines if it has heard one.
    assert sshd.count("authenticating user|invalid user|Failed|Accepted") == 0
    assert PhysicalServer.objects.get().state == ServerState.NEW
    with pytest.raises(observe.LookFailed, match="not been approved"):
        observe.look(reachable)
    observe.observe(reachable.pk)
    assert sshd.connections == 1

    approve_host_key(group_admin, key)
    assert PhysicalServer.objects.get().state == ServerState.WAITING
    observe.observe(reachable.pk)
    assert PhysicalServer.objects.get().state == ServerState.OK
    assert sshd.commands == 1


def test_a_changed_key_blocks_the_server_and_shows_both(
    sshd: Sshd, reachable: PhysicalServer, group_admin: Any
) -> None:
    old = sshd.host_keys[0].sha256
    sshd.stop()
    sshd.make_host_keys("ed25519")
    sshd.start()
    for _ in range(2):
        observe.observe(reachable.pk)
    reachable.refresh_from_db()
    assert reachable.state == ServerState.HOST_KEY_CHANGED
    new = sshd.host_keys[0].sha256
    assert old in reachable.state_reason and new in reachable.state_reason
    assert dict(HostKey.objects.values_list("sha256", "state")) == {old: "pinned", new: "offered"}
    assert sshd.logins == sshd.count("authenticating user|Failed") == 0
    assert {check.code: check.status for check in preflight(reachable)}["host_key"] == "fail"

    approve_host_key(group_admin, HostKey.objects.get(sha256=new))
    observe.observe(reachable.pk)
    reachable.refresh_from_db()
    assert reachable.state == ServerState.OK


def test_an_old_key_that_is_back_must_be_approved_again(
    sshd: Sshd, reachable: PhysicalServer, group_admin: Any
) -> None:
    HostKey.objects.update(state=HostKeyState.RETIRED)
    HostKey.objects.create(
        server=reachable, key_type="ssh-ed25519", base64="AAAA", sha256="SHA256:x", state=HostKeyState.PINNED
    )
    observe.observe(reachable.pk)
    assert dict(HostKey.objects.values_list("sha256", "state")) == {
        sshd.host_keys[0].sha256: "offered",
        "SHA256:x": "pinned",
    }
    assert sshd.logins == 0


def test_a_bug_of_the_panel_is_a_state_too(
    reachable: PhysicalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(observe, "parse_look", broken)
    assert observe.observe(reachable.pk)
    reachable.refresh_from_db()
    assert reachable.state == ServerState.UNREADABLE
    assert "a bug" not in reachable.state_reason and "log" in reachable.state_reason
    assert reachable.look_claimed_until is None


def test_a_failed_look_keeps_what_was_seen_before(sshd: Sshd, reachable: PhysicalServer) -> None:
    observe.observe(reachable.pk)
    before = Adapter.objects.present().count(), Container.objects.present().count()
    sshd.stop()
    observe.observe(reachable.pk)
    reachable.refresh_from_db()
    assert reachable.state == ServerState.UNREACHABLE and reachable.state_reason
    assert reachable.seen_at is not None and reachable.looked_at is not None
    assert reachable.seen_at < reachable.looked_at
    assert (Adapter.objects.present().count(), Container.objects.present().count()) == before


def test_preflight_lists_what_was_found(reachable: PhysicalServer) -> None:
    before = {check.code: check.status for check in preflight(reachable)}
    assert before["reach"] == before["login"] == before["tools"] == "unknown"
    observe.observe(reachable.pk)
    reachable.refresh_from_db()
    after = {check.code: check for check in preflight(reachable)}
    assert [after[code].status for code in ("reach", "host_key", "login", "root", "answer")] == ["ok"] * 5
    assert after["dialect"].status == "fail" and after["dialect"].remedy
    assert all(check.why for check in after.values())
    assert all(check.remedy for check in after.values() if check.status == "fail")
