"""A measurement is claimed once, stored and compared; what differs stays until it agrees again."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from networks.choices import ChangeState, MeasurementState, OperationState
from networks.domain.state import AddMember, Assign, Edit, InterfaceKey, RemoveMember, Unassign
from networks.engine import measuring
from networks.engine.disagreements import close_outdated
from networks.measure import Heard, Place
from networks.models import Change, Decision, Disagreement, Measurement, Operation, StandingProblem
from networks.problem_check import check
from networks.services import measure
from networks.services.errors import NotAllowed
from nodes.choices import Role
from nodes.models import Container, GroupRole, PhysicalServer, ServerGroup
from tests.networks.changes import decide, planned
from tests.seeded import seed

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(db: None) -> User:
    seed()
    Measurement.objects.all().delete()
    Disagreement.objects.all().delete()
    return User.objects.get(username="admin")


class Wires:
    """Servers that answer by a rule: who hears whom, given as a function of two places."""

    def __init__(self, hears: Callable[[str, str], bool]) -> None:
        self.hears, self.owners, self.asked = hears, {}, 0  # type: ignore[var-annotated]

    def __call__(
        self, server: PhysicalServer, places: tuple[Place, ...], witnesses: tuple[Any, ...]
    ) -> Mapping[str, Heard]:
        self.asked += 1
        found: dict[str, Heard] = {}
        for place in places:
            me = place.ctid or f"server{server.pk}"
            ears = found[place.ctid] = Heard(macs={self.mac(me)})
            for address in place.pings:
                ears.pings[address] = self.hears(me, self.owner(address))
            for link, address in place.arps:
                other = self.owner(address)
                ears.arps[link or "eth0", address] = self.mac(other) if self.hears(me, other) else ""
        for _ in witnesses:
            found.setdefault("", Heard()).witness = "ready"
        return found

    @staticmethod
    def owner(address: str) -> str:
        last = address.rpartition(".")[2]
        if address.startswith("169.254."):
            return "witness"
        return {
            "1": "other",
            "11": "server1",
            "12": "server2",
            "13": "server3",
            "31": "301",
            "32": "302",
            "33": "303",
        }.get(last, last)

    @staticmethod
    def mac(name: str) -> str:
        return f"0a:00:00:00:00:{sum(name.encode()) % 256:02x}"


VLAN = ("205", "301")


def one_network(a: str, b: str) -> bool:
    """D and its two containers, as the manual has them; nothing else is asked for here."""
    return a in VLAN and b in VLAN


def run(user: User, monkeypatch: pytest.MonkeyPatch, ask: Any) -> Measurement:
    """Measure network D with those servers."""
    from tests.domain import scheme

    monkeypatch.setattr(measuring, "ask", ask)
    monkeypatch.setattr("networks.engine.trunks.HEAD_START_S", 0)
    row = measure.request_measurement(user, [2, 3], uuid.UUID(scheme.D))
    measuring.run_measurement(row.pk)
    row.refresh_from_db()
    return row


def answers(row: Measurement, origin: str, target: str) -> dict[str, str]:
    return {layer: measured for a, b, layer, _, measured in row.cells if (a, b) == (origin, target)}


@pytest.fixture
def deaf_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Wires]:
    """Wires on which VLAN 100 does not get to one server."""

    def made(server: str) -> Wires:
        inside = {"server2": "205", "server3": "301"}

        def hears(a: str, b: str) -> bool:
            if b == "witness":
                return a != server
            pair = {a, b}
            servers = {"server1", "server2", "server3", "other"}
            if pair <= servers:
                return True
            return one_network(a, b) and inside[server] not in pair

        return Wires(hears)

    return made


def test_a_measurement_that_agrees_is_stored_and_leaves_no_disagreement(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = {"server1", "server2", "server3", "other"}
    row = run(admin, monkeypatch, Wires(lambda a, b: one_network(a, b) or {a, b} <= everything))
    assert row.state == MeasurementState.DONE and row.ended_at is not None
    assert answers(row, "c:2:205", "c:3:301") == {"ip": "yes", "layer2": "yes"}
    assert answers(row, "c:2:205", "s:2") == {"ip": "no", "layer2": "no"}
    assert not Disagreement.objects.exists()


@pytest.mark.parametrize("server", ["server2", "server3"])
def test_the_trunk_finder_names_the_server_and_the_vlan(
    admin: User, monkeypatch: pytest.MonkeyPatch, deaf_to: Callable[[str], Wires], server: str
) -> None:
    run(admin, monkeypatch, deaf_to(server))
    (found,) = measure.open_disagreements(admin)
    check()
    assert StandingProblem.objects.open().filter(cause="disagreement", text=found.text).exists()
    assert (
        found.text == f"The switch does not carry VLAN 100 of “physical network” to physical server {server}."
    )
    assert found.servers == [int(server[-1])]


def test_a_disagreement_ends_when_it_agrees_again_and_keeps_its_first_time(
    admin: User, monkeypatch: pytest.MonkeyPatch, deaf_to: Callable[[str], Wires]
) -> None:
    run(admin, monkeypatch, deaf_to("server3"))
    first = Disagreement.objects.get().first_seen_at
    run(admin, monkeypatch, deaf_to("server3"))
    again = Disagreement.objects.get()
    assert again.first_seen_at == first and again.last_seen_at > first
    everything = {"server1", "server2", "server3", "other"}
    run(admin, monkeypatch, Wires(lambda a, b: one_network(a, b) or {a, b} <= everything))
    assert measure.open_disagreements(admin) == []
    assert Disagreement.objects.get().gone_at is not None


TWO = (("c:2:203", "c:2:204"), ("c:2:204", "c:2:203"))


@pytest.fixture
def apart(admin: User, monkeypatch: pytest.MonkeyPatch) -> Disagreement:
    """203 and 204, the members of C, did not hear each other."""
    from tests.domain import scheme

    monkeypatch.setattr(measuring, "ask", Wires(lambda a, b: {a, b} <= {"server2", "other"}))
    row = measure.request_measurement(admin, [2], uuid.UUID(scheme.C))
    measuring.run_measurement(row.pk)
    found = Disagreement.objects.get(gone_at=None)
    assert (found.origin, found.target) in TWO and (found.layer, found.predicted) == ("ip", "yes")
    return found


def stops() -> None:
    Container.objects.filter(server=2, ctid="204").update(status="stopped")


def goes() -> None:
    Container.objects.filter(server=2, ctid="204").update(gone_at=timezone.now())


def leaves() -> None:
    decide(RemoveMember(InterfaceKey(2, "204", "eth0")))


@pytest.mark.parametrize("ends", [stops, goes, leaves])
def test_a_disagreement_ends_with_its_prediction_or_one_of_its_two(
    apart: Disagreement, ends: Callable[[], None]
) -> None:
    close_outdated()
    apart.refresh_from_db()
    assert apart.gone_at is None
    ends()
    close_outdated()
    apart.refresh_from_db()
    assert apart.gone_at is not None


def test_the_check_for_problems_ends_disagreements_that_are_over(
    apart: Disagreement,
) -> None:
    leaves()
    check()
    assert not StandingProblem.objects.open().filter(cause="disagreement").exists()
    assert not Disagreement.objects.filter(gone_at=None).exists()


def test_a_switch_port_without_a_vlan_is_no_matter_once_nobody_uses_it(
    admin: User, monkeypatch: pytest.MonkeyPatch, deaf_to: Callable[[str], Wires]
) -> None:
    from tests.domain import scheme

    run(admin, monkeypatch, deaf_to("server3"))
    close_outdated()
    assert len(measure.open_disagreements(admin)) == 1
    decide(RemoveMember(InterfaceKey(3, "301", "eth0")), Unassign(scheme.D, 3))
    close_outdated()
    assert measure.open_disagreements(admin) == []


def test_seen_but_not_predicted_is_told_with_its_likely_cause(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(admin, monkeypatch, Wires(lambda a, b: True))
    texts = {row.text: row.cause for row in measure.open_disagreements(admin)}
    assert "Container 205 (c205) should not reach physical server server2, but does." in texts
    assert all("Something joins them" in cause for cause in texts.values())


def test_a_server_that_cannot_be_asked_makes_unknown_and_is_named(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = run(admin, monkeypatch, lambda server, places, witnesses: "It did not answer.")
    assert row.state == MeasurementState.DONE
    assert row.silent == {"2": "It did not answer.", "3": "It did not answer."}
    assert {cell[4] for cell in row.cells} == {"unknown"} and not Disagreement.objects.exists()


def test_groups_that_were_too_many_to_be_tried_are_stored_as_left_out(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("networks.measure.plan.MOST_TARGETS", 2)
    row = run(admin, monkeypatch, Wires(one_network))
    assert row.state == MeasurementState.DONE and int(row.silent[Measurement.LEFT_OUT]) > 0


def test_a_measurement_runs_once_and_a_failure_is_told(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    wires = Wires(one_network)
    row = run(admin, monkeypatch, wires)
    asked = wires.asked
    measuring.run_measurement(row.pk)
    assert wires.asked == asked

    def breaks(*args: object) -> None:
        raise RuntimeError("no")

    assert run(admin, monkeypatch, breaks).state == MeasurementState.FAILED


def test_a_measurement_whose_message_was_lost_is_sent_again(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = measure.request_measurement(admin, [2])
    sent: list[object] = []
    monkeypatch.setattr(measure, "send", lambda task, pk: sent.append(pk))
    measure.resend_waiting()
    assert sent == []
    Measurement.objects.update(asked_at=row.asked_at - measure.RESEND_AFTER)
    measure.resend_waiting()
    assert sent == [row.pk]
    Measurement.objects.update(asked_at=row.asked_at - measure.LOST)
    measure.resend_waiting()
    assert sent == [row.pk] and not measure.is_under_way(Measurement.objects.get())


def test_a_measurement_whose_worker_died_is_ended_and_no_page_waits_for_it(admin: User) -> None:
    row = measure.request_measurement(admin, [2])
    now = timezone.now()
    Measurement.objects.update(
        state=MeasurementState.RUNNING, asked_at=now - measure.LONGEST, started_at=now - measure.LONGEST / 2
    )
    measure.end_lost()
    assert measure.is_under_way(Measurement.objects.get())
    Measurement.objects.update(started_at=now - measure.LONGEST)
    measure.end_lost()
    row.refresh_from_db()
    assert row.state == MeasurementState.FAILED and row.ended_at is not None
    assert not measure.is_under_way(row)


def test_a_measurement_that_nobody_began_in_time_may_still_come_late(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = measure.request_measurement(admin, [2])
    Measurement.objects.update(asked_at=timezone.now() - measure.LOST)
    measure.end_lost()
    row.refresh_from_db()
    assert row.state == MeasurementState.FAILED
    monkeypatch.setattr(measuring, "ask", Wires(one_network))
    measuring.run_measurement(row.pk)
    row.refresh_from_db()
    assert row.state == MeasurementState.DONE


def test_a_change_whose_worker_died_before_it_was_measured_is_measured_by_the_sweeper(admin: User) -> None:
    now = timezone.now()
    Change.objects.update(ended_at=now)
    measure.sweep_measurements()
    assert not Measurement.objects.exists()  # its worker is about to ask for it
    Change.objects.update(ended_at=now - measure.RESEND_AFTER)
    measure.sweep_measurements()
    measure.sweep_measurements()
    assert Measurement.objects.get().change == Change.objects.get()
    Measurement.objects.all().delete()
    Change.objects.update(ended_at=now - measure.MISSED)
    measure.sweep_measurements()
    assert not Measurement.objects.exists()


def test_what_failed_after_a_change_is_measured_again_a_few_times(admin: User) -> None:
    Change.objects.update(ended_at=timezone.now() - measure.RESEND_AFTER)
    for _ in range(measure.TRIES + 2):
        measure.sweep_measurements()
        Measurement.objects.update(state=MeasurementState.FAILED, started_at=timezone.now())
    assert Measurement.objects.count() == measure.TRIES


def test_a_change_that_cannot_be_read_does_not_keep_the_sweeper_from_others(admin: User) -> None:
    broken = done_on_server_3(admin, edits="no edits", ended_at=timezone.now() - measure.RESEND_AFTER)
    Change.objects.exclude(pk=broken.pk).update(ended_at=timezone.now() - measure.RESEND_AFTER)
    measure.sweep_measurements()
    assert Measurement.objects.get().change != broken


def test_of_a_change_that_was_done_in_part_what_was_decided_is_measured(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.domain import scheme

    edits = (Assign(scheme.D, 3, "eth0.100"), AddMember(scheme.A, InterfaceKey(1, "102", "eth0")))
    change = done_on_server_3(admin, *edits, state=ChangeState.PARTLY)
    one = PhysicalServer.objects.get(pk=1)
    Operation.objects.create(change=change, server=one, wave=2, state=OperationState.ROLLED_BACK)
    measure.measure_after(change.pk)
    assert not Measurement.objects.exists()  # nothing was decided
    Decision.objects.create(change=change, wave=1, decided_at=timezone.now())
    row, hosts = hosts_after(change, monkeypatch)
    assert row.servers == [2, 3] and {"c:2:205", "c:3:301"} <= hosts and "c:1:102" not in hosts


def test_a_server_that_could_not_take_a_change_back_is_measured(admin: User) -> None:
    change = done_on_server_3(admin, state=ChangeState.NEEDS_ATTENTION)
    measure.measure_after(change.pk)
    assert not Measurement.objects.exists()
    change.operations.update(state=OperationState.NEEDS_ATTENTION)
    measure.measure_after(change.pk)
    assert Measurement.objects.get().servers == [3]


def test_a_change_that_is_done_is_measured_once_unless_the_settings_say_not_to(
    admin: User, settings: Any
) -> None:
    change = Change.objects.get()
    settings.MEASURE_AFTER_CHANGES = False
    measure.measure_after(change.pk)
    assert not Measurement.objects.exists()
    settings.MEASURE_AFTER_CHANGES = True
    measure.measure_after(change.pk)
    measure.measure_after(change.pk)
    assert Measurement.objects.get().servers == [1, 2, 3]


def done_on_server_3(user: User, *edits: Edit, **columns: Any) -> Change:
    """A Change that is done, with a part for server 3 alone."""
    change = planned(user, *edits, servers=(PhysicalServer.objects.get(pk=3),))
    Change.objects.filter(pk=change.pk).update(**({"state": ChangeState.DONE} | columns))
    change.refresh_from_db()
    return change


def hosts_after(change: Change, monkeypatch: pytest.MonkeyPatch) -> tuple[Measurement, set[str]]:
    monkeypatch.setattr(measuring, "ask", Wires(one_network))
    monkeypatch.setattr("networks.engine.trunks.HEAD_START_S", 0)
    measure.measure_after(change.pk)
    row = Measurement.objects.get(change=change)
    measuring.run_measurement(row.pk)
    row.refresh_from_db()
    assert row.state == MeasurementState.DONE
    return row, {end for cell in row.cells for end in cell[:2]}


def test_after_a_change_its_networks_are_measured_on_all_their_servers(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.domain import scheme

    change = done_on_server_3(admin, Assign(scheme.D, 3, "eth0.100"))
    row, hosts = hosts_after(change, monkeypatch)
    assert row.servers == [2, 3] and answers(row, "c:2:205", "c:3:301")["ip"] == "yes"
    # The server's other containers too, as they are few; of other servers' only what is concerned.
    assert {"c:3:302", "s:2", "s:3", "o:1"} <= hosts and "c:2:203" not in hosts


def test_after_a_change_among_many_only_what_it_concerns_is_measured(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.domain import scheme

    monkeypatch.setattr("networks.engine.concerned.MOST_TARGETS", 6)
    change = done_on_server_3(admin, Assign(scheme.D, 3, "eth0.100"))
    assert hosts_after(change, monkeypatch)[1] == {"c:2:205", "c:3:301", "s:2", "s:3", "o:1"}


def test_after_a_repair_the_networks_of_the_server_are_measured(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, hosts = hosts_after(done_on_server_3(admin, edits="[]", repairs=[3]), monkeypatch)
    assert row.servers == [2, 3] and {"c:2:205", "c:3:301", "c:3:303"} <= hosts


def test_who_has_left_a_network_is_measured_with_those_who_stayed(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("networks.engine.concerned.MOST_TARGETS", 6)
    edit = RemoveMember(InterfaceKey(3, "301", "eth0"))
    change = done_on_server_3(admin, edit)
    decide(edit)
    assert {"c:2:205", "c:3:301"} <= hosts_after(change, monkeypatch)[1]


def test_a_server_that_may_not_be_asked_is_not_measured(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.domain import scheme

    PhysicalServer.objects.filter(pk=2).update(is_enabled=False)
    change = done_on_server_3(admin, Assign(scheme.D, 3, "eth0.100"))
    row, hosts = hosts_after(change, monkeypatch)
    assert row.servers == [3] and "c:2:205" not in hosts


def test_what_was_measured_before_a_later_change_of_a_server_is_not_shown(admin: User) -> None:
    now = timezone.now()
    ends = [("c:2:203", "c:2:204"), ("c:2:205", "c:3:301"), ("s:3", "o:1"), ("c:2:203", "o:1")]
    cells = [[a, b, "ip", "yes", "no"] for a, b in ends]
    Measurement.objects.create(servers=[2, 3], state=MeasurementState.DONE, cells=cells, started_at=now)
    change = done_on_server_3(admin)
    two = PhysicalServer.objects.get(pk=2)
    Operation.objects.create(change=change, server=two, wave=2, state=OperationState.CANCELLED)
    assert len(measure.measured_cells()) == 4
    decision = Decision.objects.create(change=change, wave=1, decided_at=now - timedelta(seconds=1))
    assert len(measure.measured_cells()) == 4
    Decision.objects.filter(pk=decision.pk).update(decided_at=now + timedelta(seconds=1))
    assert {(a, b) for a, b, _ in measure.measured_cells()} == {("c:2:203", "c:2:204"), ("c:2:203", "o:1")}
    later = now + timedelta(seconds=2)
    cells = [["c:2:205", "c:3:301", "ip", "yes", "yes"]]
    Measurement.objects.create(servers=[2, 3], state=MeasurementState.DONE, cells=cells, started_at=later)
    assert measure.measured_cells()["c:2:205", "c:3:301", "ip"] == "yes"


def test_measuring_needs_the_operator_role_and_disagreements_are_seen_by_server(admin: User) -> None:
    group = ServerGroup.objects.get()
    viewer = User.objects.create_user("vera", password="x")
    GroupRole.objects.create(user=viewer, group=group, role=Role.VIEWER)
    with pytest.raises(NotAllowed, match="operator role on server1"):
        measure.request_measurement(viewer, [1])
    stranger = User.objects.create_user("sam", password="x")
    with pytest.raises(NotAllowed, match="every server concerned"):
        measure.request_measurement(stranger, [1])
    now = PhysicalServer.objects.get(pk=1).created_at
    Disagreement.objects.create(key="pair:a|b", text="x", servers=[1], first_seen_at=now, last_seen_at=now)
    assert len(measure.open_disagreements(viewer)) == 1 and measure.open_disagreements(stranger) == []


def test_a_measurement_is_not_done_when_its_worker_dies_before_all_of_it_is_stored(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(*args: object) -> None:
        raise Killed

    monkeypatch.setattr(measuring, "store_disagreements", dies)
    monkeypatch.setattr(measuring, "ask_all", lambda *args: ({}, {}))
    row = Measurement.objects.create(servers=list(PhysicalServer.objects.values_list("pk", flat=True)[:1]))
    with pytest.raises(Killed):
        measuring.run_measurement(row.pk)
    row.refresh_from_db()
    assert (row.state, row.ended_at) == (MeasurementState.RUNNING, None)
