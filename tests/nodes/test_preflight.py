"""What stands between a server and its first Change."""

from __future__ import annotations

import pytest

from nodes.choices import ServerState
from nodes.facts import Address, Finding
from nodes.models import Credential, HostKey, PhysicalServer
from nodes.probe import probe_script
from nodes.services import Check, preflight
from nodes.services.preflight import NEEDED_TOOLS, USEFUL_TOOLS
from nodes.sync import Timing, store, store_failure
from tests.nodes import scene
from tests.nodes.test_sync import NOW

pytestmark = pytest.mark.django_db


def checks(server: PhysicalServer) -> dict[str, Check]:
    """The list by code; every line says why, and every bad one what to do."""
    server.refresh_from_db()
    listed = preflight(server)
    for one in listed:
        assert one.what and one.why
        if one.status in ("fail", "warn"):
            assert one.found and one.remedy, one
    return {one.code: one for one in listed}


def test_a_good_server_passes(server: PhysicalServer) -> None:
    tools = dict.fromkeys(("ip", "vzctl", "vzlist", "awk", "setsid", "flock", "arping", "timeout"), "")
    can = frozenset({"bridge", "vlan", "vlan_filtering", "ip_master", "flock", "vznet_hook"})
    store(server.pk, scene.server(tools=tools, capabilities=can), Timing(NOW))
    Credential.objects.update(by_gate=True)
    assert {one.status for one in checks(server).values()} == {"ok"}
    Credential.objects.update(by_gate=False)
    found = checks(server)
    assert [code for code, one in found.items() if one.status != "ok"] == ["privilege"]
    assert "Prepare server" in found["privilege"].remedy


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (ServerState.UNREACHABLE, "reach"),
        (ServerState.HOST_KEY_CHANGED, "host_key"),
        (ServerState.LOGIN_REFUSED, "login"),
        (ServerState.NO_SUDO, "root"),
        (ServerState.UNREADABLE, "answer"),
    ],
)
def test_what_lies_behind_a_failed_step_is_not_known(
    server: PhysicalServer, state: ServerState, code: str
) -> None:
    store_failure(server.pk, state, "The very reason.", NOW)
    steps = ["reach", "host_key", "login", "root", "answer"]
    found = checks(server)
    at = steps.index(code)
    assert [found[step].status for step in steps[:at]] == ["ok"] * at
    assert (found[code].status, found[code].found) == ("fail", "The very reason.")
    assert [found[step].status for step in steps[at + 1 :]] == (["unknown"] * (4 - at))


def test_a_new_server_waits_for_its_host_key(server: PhysicalServer) -> None:
    HostKey.objects.all().delete()
    PhysicalServer.objects.update(state=ServerState.NEW)
    found = checks(server)
    assert (found["host_key"].status, found["login"].status) == ("fail", "unknown")
    store_failure(server.pk, ServerState.NEW, "Nobody answers.", NOW)
    assert checks(server)["reach"].found == "Nobody answers."


def test_a_poor_server_is_told_all_that_is_wrong(server: PhysicalServer) -> None:
    address = Address(4, "10.77.0.11", 24, dynamic=True)
    facts = scene.server(
        (),
        scene.nic(addresses=(address,), owner="NetworkManager"),
        tools={},
        capabilities=frozenset(),
        vzctl_dialect=None,
        true_ms=900.0,
        firewall=(Finding("forward_drop", "Forwarding is refused."),),
        findings=(Finding("noisy_shell", "The shell says hello."), Finding("other", "Not for here.")),
    )
    PhysicalServer.objects.update(legacy_ssh=True)
    store(server.pk, facts, Timing(NOW))
    found = {code: one.status for code, one in checks(server).items()}
    assert [code for code, status in found.items() if status == "fail"] == [
        "tools", "flock", "dialect", "bridge", "dhcp",
    ]  # fmt: skip
    assert [code for code, status in found.items() if status == "warn"] == [
        "privilege", "legacy_ssh", "vlan", "vlan_filtering", "owner", "forward_drop", "noisy_shell", "shell",
    ]  # fmt: skip


def test_vzctl_4_without_the_start_hook_is_warned_about(server: PhysicalServer) -> None:
    store(server.pk, scene.server(), Timing(NOW))
    assert checks(server)["vznet_hook"].status == "warn"
    store(server.pk, scene.server(vzctl_dialect="7"), Timing(NOW))
    assert "vznet_hook" not in checks(server)


def test_a_windows_server_has_no_list(windows: PhysicalServer) -> None:
    assert preflight(windows) == []


def test_the_probe_asks_for_every_tool_that_the_preflight_wants() -> None:
    asked = probe_script().partition("for tool in")[2].partition("; do")[0].split()
    assert {*NEEDED_TOOLS, *USEFUL_TOOLS} <= set(asked)
