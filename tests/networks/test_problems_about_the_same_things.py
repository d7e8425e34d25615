"""Different problems about the same things: each stands, and each is acknowledged for itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils import timezone

from networks.desired import head
from networks.domain.state import AddMember, Assign, CreateNetwork
from networks.models import StandingProblem
from networks.problem_check import Found, _store, check, of_rules
from networks.services.problems import acknowledge
from nodes.models import ContainerInterface, PhysicalServer
from tests.networks.changes import decide, write
from tests.networks.conftest import Scene

IP4, IP6 = "10.77.0.9/24", "fd77::9/64"


def clones(scene: Scene, network: str, *addresses: str) -> None:
    """A network whose two members have the same addresses."""
    decide(
        CreateNetwork(network, "A"),
        Assign(network, scene.server1.pk, "eth0"),
        AddMember(network, scene.key(scene.server1, "102")),
        AddMember(network, scene.key(scene.server1, "103")),
    )
    have(*addresses)


def have(*addresses: str) -> None:
    rows = ContainerInterface.objects.filter(container__ctid__in=("102", "103"))
    rows.update(addresses_text=" ".join(addresses))


def doubles() -> list[StandingProblem]:
    return list(StandingProblem.objects.open().filter(cause="duplicate-ip").order_by("text"))


def look_again() -> None:
    """As the check does once something has changed that the rules depend on."""
    rules = [one for one in of_rules() if one.cause == "duplicate-ip"]
    standing = {row.key: row for row in doubles()}
    _store(rules, standing, timezone.now())


def test_a_clone_with_two_addresses_is_two_problems(scene: Scene, network_id: str) -> None:
    clones(scene, network_id, IP4, IP6)
    check()
    assert ["10.77.0.9" in row.text for row in doubles()] == [True, False]
    assert "fd77::9" in doubles()[1].text


def test_a_second_address_is_a_new_problem_beside_the_acknowledged(
    scene: Scene, network_id: str, admin: Any
) -> None:
    clones(scene, network_id, IP4)
    look_again()
    (first,) = doubles()
    acknowledge(admin, [first.pk], "known")
    have(IP4, IP6)
    look_again()
    assert {row.pk == first.pk: row.acknowledged_at is not None for row in doubles()} == {
        True: True,
        False: False,
    }


def test_an_acknowledgement_does_not_pass_to_another_address(
    scene: Scene, network_id: str, admin: Any
) -> None:
    clones(scene, network_id, IP4)
    look_again()
    acknowledge(admin, [row.pk for row in doubles()], "known")
    have(IP6)
    look_again()
    (now,) = doubles()
    assert "fd77::9" in now.text and now.acknowledged_at is None


def test_all_that_a_servers_next_boot_would_lose_stands(scene: Scene, network_id: str) -> None:
    clones(scene, network_id)
    now = head().state
    write(replace(now, networks=tuple(replace(network, bridge="vn-a") for network in now.networks)))
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(
        boot={
            "replay": "missing",
            "keeps": [["bridge", "vn-old", "-"]],
            "ports": {},
            "dhcp": [],
            "hook": False,
            "off": [],
        }
    )
    check()
    texts = StandingProblem.objects.open().filter(cause="reboot-risk").values_list("text", flat=True)
    assert len(texts) == 3, texts


FOUND = Found("duplicate-ip", "warn", "Two have 10.77.0.9.", variant="duplicate-ip", detail="10.77.0.9")


def stored_before(admin: Any) -> StandingProblem:
    """A row as it was stored while keys named no address, and acknowledged."""
    _store([replace(FOUND, detail="")], {}, timezone.now())
    row = StandingProblem.objects.get()
    acknowledge(admin, [row.pk], "known")
    return row


def test_what_was_acknowledged_before_stays_so(admin: Any) -> None:
    row = stored_before(admin)
    other = replace(FOUND, text="Two have fd77::9.", detail="fd77::9")
    _store([FOUND, other], {row.key: row}, timezone.now())
    open_ones = {one.text: one.acknowledged_at is not None for one in StandingProblem.objects.open()}
    assert open_ones == {"Two have 10.77.0.9.": True, "Two have fd77::9.": False}
    assert StandingProblem.objects.open().get(pk=row.pk).key == FOUND.key


def test_what_was_acknowledged_before_about_something_else_does_not(admin: Any) -> None:
    row = stored_before(admin)
    _store([replace(FOUND, text="Two have fd77::9.", detail="fd77::9")], {row.key: row}, timezone.now())
    assert StandingProblem.objects.open().get().acknowledged_at is None


def test_the_others_keep_their_keys() -> None:
    one = Found("split", "warn", "x", subjects=({"kind": "network", "network": "n"},), variant="split")
    assert one.key == "32fbf01ea2781b8f47b41544c23c214f36bae8ee8aedb5c145da830e9fbbdaee"
