"""No page, fragment, file or refusal ever names what is on a server that the reader may not see."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from django.utils import timezone

from networks import problem_check
from networks.choices import ChangeState, MeasurementState, OperationState
from networks.domain.state import AddMember, Assign, CreateNetwork, CreateVlan, Edit, InterfaceKey
from networks.models import Behind, Change, Disagreement, Draft, Measurement, NetworkIntent
from networks.state_json import dump_edits
from nodes.choices import HostKeyState, InterfaceMode, Role, ServerState
from nodes.models import (
    Adapter,
    Container,
    ContainerInterface,
    Credential,
    HostKey,
    PhysicalServer,
    ServerGroup,
)
from tests.networks.changes import decide, drifted, planned, was_decided
from tests.networks.conftest import Scene, make_container, make_server, with_role
from tests.pages.conftest import logged_in
from tests.pages.walk import routes
from trust.audit import record

pytestmark = pytest.mark.django_db

#: In every name on the hidden server, and nowhere else.
NAMED = re.compile(r"hush|98765|98766|10\.66\.6|02:66:66|hsh")
BOOT = {
    "replay": "missing", "keeps": [["bridge", "vn-old", "-"]], "ports": {"eth0": "br0", "hsh0": "hshbr"},
    "dhcp": [], "hook": False, "off": ["98765", "102"],
}  # fmt: skip


def hidden_server(scene: Scene) -> PhysicalServer:
    """A server full of names, in a group of its own, on the same wire as the others."""
    segment = scene.eth0(scene.server1).segment
    assert segment
    group = ServerGroup.objects.create(name="hush group", description="hush description")
    server = make_server(group, segment, "hush1", "10.66.6.1")
    login = Credential.objects.create(name="hush login", username="hushroot", group=group)
    PhysicalServer.objects.filter(pk=server.pk).update(
        hostname="hush.example", description="hush text", boot=BOOT, credential=login,
        state=ServerState.UNREACHABLE, state_reason="hush1 does not answer",
    )  # fmt: skip
    Adapter.objects.filter(server=server).update(name="hsh0", mac="02:66:66:00:00:01")
    for ctid in ("98765", "98766"):
        container = make_container(server, ctid, "hsh0", "hsh1")
        Container.objects.filter(pk=container.pk).update(name=f"hush{ctid}", joined=[["hsh0", "hsh1"]])
        ContainerInterface.objects.filter(container=container).update(
            mac=f"02:66:66:00:00:{ctid[-2:]}", addresses_text="10.66.6.9/24", mode=InterfaceMode.BRIDGED
        )
    HostKey.objects.create(
        server=server, key_type="x", base64="hush", sha256="SHA256:hush", state=HostKeyState.OFFERED
    )
    return server


def everything_happened(scene: Scene, hidden: PhysicalServer, admin: Any) -> dict[str, Any]:
    """Networks that cross into the hidden server, Changes, problems, measurements; what is one's own."""
    network, only_there = str(uuid.uuid4()), str(uuid.uuid4())
    there: list[Edit] = [
        Assign(network, hidden.pk, "hsh0.66"),
        CreateVlan(hidden.pk, "hsh0.66", "hsh0", 66),
        *(AddMember(network, InterfaceKey(hidden.pk, ctid, "hsh0")) for ctid in ("98765", "98766")),
        AddMember(only_there, InterfaceKey(hidden.pk, "98765", "hsh1")),
        Assign(only_there, hidden.pk, "hsh0"),
    ]
    here: list[Edit] = [
        Assign(network, scene.server1.pk, "eth0"),
        AddMember(network, scene.key(scene.server1, "102")),
    ]
    decide(CreateNetwork(network, "crossing"), CreateNetwork(only_there, "only there"), *here, *there)
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(boot=BOOT)
    NetworkIntent.objects.create(network_id=network, kind="together")
    NetworkIntent.objects.create(
        network_id=network, kind="sees", source=f"c:{scene.server1.pk}:102", target=f"c:{hidden.pk}:98765"
    )
    mine = planned(admin, *here, servers=(scene.server1,))
    Change.objects.filter(pk=mine.pk).update(
        state=ChangeState.DONE,
        problems=[
            {
                "key": "rule-0", "severity": "note", "text": "hush1 stands in the way.", "hint": "hush",
                "subjects": [{"kind": "server", "server": hidden.pk}],
            },
            {
                "key": "rule-1", "severity": "note", "text": "102 does not see hush98765.", "hint": "",
                "subjects": [{"kind": "network", "network": network}], "also": [hidden.pk],
            },
        ],
    )  # fmt: skip
    was_decided(mine)
    foreign = planned(admin, *here, *there, servers=(scene.server1, hidden), reason="hush reason")
    edits_only = planned(admin, *there, servers=(scene.server1,), reason="hush reason")
    for change in (foreign, edits_only):
        Change.objects.filter(pk=change.pk).update(
            state=ChangeState.NEEDS_ATTENTION, summary="Assign crossing to hsh0.66 of hush1.", result="hush1"
        )
        change.operations.update(state=OperationState.NEEDS_ATTENTION)
        change.operations.filter(server=hidden).update(message="hush1 fell over")
        was_decided(change)
        record("x.done", "Something on hush1.", actor=admin, servers=[hidden])
    drifted(hidden, link="hsh0", ctid="98765", observed="in hshbr")
    now = timezone.now()
    Behind.objects.create(
        server=hidden, change=foreign, followed=0, missed=1, reason="hush1 slept", since=now
    )
    Disagreement.objects.create(
        key="pair", text="102 should reach hush98765.", cause="hush", servers=[scene.server1.pk, hidden.pk],
        networks=[network], first_seen_at=now, last_seen_at=now,
    )  # fmt: skip
    Measurement.objects.create(
        servers=[scene.server1.pk, hidden.pk], state=MeasurementState.DONE, started_at=now, ended_at=now,
        cells=[[f"c:{scene.server1.pk}:102", f"c:{hidden.pk}:98765", "ip", "yes", "no"]],
        silent={str(hidden.pk): "hush1 said nothing"},
    )  # fmt: skip
    problem_check.check()
    return {
        "group_id": scene.group.pk,
        "server_id": scene.server1.pk,
        "container_id": Container.objects.get(server=scene.server1, ctid="102").pk,
        "network_id": network,
        "change_id": mine.pk,
        "operation_id": mine.operations.get().pk,
        "adapter_id": scene.eth0(scene.server1).pk,
        "number": 1,
        "name": "eth0",
        "ifname": "eth0",
        "revision": 1,
        "intent_id": NetworkIntent.objects.latest("pk").pk,
        "only_there": only_there,
        "hidden_container": f"c:{hidden.pk}:98765",
        "hidden_server": f"s:{hidden.pk}",
        "hidden_adapter": f"a:{hidden.pk}:hsh0",
    }


QUERIES: dict[str, list[dict[str, Any]]] = {
    "nodes:search": [{"q": text} for text in ("hush", "98765", "10.66.6.9", "02:66", "hsh", "cross")],
    "nodes:tree": [{"q": "hush"}, {"q": "9876"}],
    "networks:compare": [{"a": 0, "b": 1}, {"a": 1, "b": 3}],
    "networks:changes": [{"q": "hush"}, {"server": "hush1"}],
    "networks:problems": [{"cause": "reboot-risk"}, {"q": "hush"}],
    "audit": [{"q": "hush"}],
}
LISTS = {
    "nodes:servers", "nodes:group_servers", "nodes:group_containers", "nodes:server_containers",
    "networks:list", "networks:group_networks", "networks:server_networks", "networks:changes",
    "networks:drift", "networks:problems", "networks:revision", "networks:group_grid", "audit",
}  # fmt: skip
STATES = [{"state": state, "hops": 3} for state in ("draft", "desired", "decided", "observed")]


def queries(name: str, things: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What is asked of a page beside its address."""
    yield from ({}, {"as_of": 1})
    if name in LISTS:
        yield from ({"format": "csv"}, {"format": "csv", "as_of": 1})
    yield from QUERIES.get(name, ())
    if "topology" in name or "visibility" in name:
        yield from STATES
    ends = ("103", "hush98765", "98765", "hush1", "other hosts", things["hidden_container"])
    if name == "networks:explain":
        yield from ({"from": "102", "to": end, "state": "decided"} for end in ends)
        yield from ({"from": end, "to": "102", "state": "observed"} for end in ends)
    if name == "networks:what_if":
        hidden = (things["hidden_container"], things["hidden_server"], things["hidden_adapter"])
        yield from ({"what": [f"c:{things['server_id']}:102", text]} for text in hidden)
        yield from ({"what": text, "state": "decided"} for text in (f"s:{things['server_id']}", "102"))


def named_on(pages: Any, client: Any) -> list[str]:
    """Addresses whose answers name something hidden, other than what was typed into them."""
    faults = []
    for address in pages:
        for headers in ({},) if "?" in address else ({}, {"HX-Request": "true"}):
            response = client.get(address, headers=headers)
            parts = response.streaming_content if response.streaming else [response.content]
            # A token of chance may spell anything.
            text = re.sub(r"\b[A-Za-z0-9]{64}\b", "", b"".join(parts).decode())
            for words in re.findall(r"[^<>\n]*(?:" + NAMED.pattern + r")[^<>\n]*", text):
                if not any(one and one in address for one in NAMED.findall(words)):
                    faults.append(f"{address}: {words[:200]}")
    return faults


@pytest.mark.parametrize("role", ["none", Role.ADMIN])
def test_nothing_hidden_is_named_anywhere(
    role: str, scene: Scene, admin: Any, django_user_model: Any
) -> None:
    hidden = hidden_server(scene)
    things = everything_happened(scene, hidden, admin)
    user = django_user_model.objects.create_user("nobody", password="x")
    if role in Role.values:
        user = with_role(django_user_model, "user", scene.group, Role(role))
    # She once had a role there: her draft still names it.
    edits = [AddMember(things["network_id"], InterfaceKey(hidden.pk, "98766", "hsh1"))]
    Draft.objects.create(user=user, edits=dump_edits(edits))
    client, pages = logged_in(user), []
    for network in (things["network_id"], things["only_there"]):
        here = things | {"network_id": network}
        for route in routes():
            if (address := route.address(here)) is None:
                continue
            asked = queries(route.name, here)
            pages += [address + (f"?{urlencode(query, doseq=True)}" if query else "") for query in asked]
    assert named_on(dict.fromkeys(pages), client) == []
    # The walk would find them: a superuser is told.
    assert named_on(pages[:200], logged_in(admin)) != []


def test_what_is_hidden_of_a_network_is_counted_where_it_is_not_named(
    scene: Scene, django_user_model: Any
) -> None:
    """Found in review: "No containers yet" stood below "is in use and cannot be deleted"."""
    hidden = hidden_server(scene)
    network = str(uuid.uuid4())
    there = [AddMember(network, InterfaceKey(hidden.pk, ctid, "hsh0")) for ctid in ("98765", "98766")]
    decide(CreateNetwork(network, "there"), Assign(network, hidden.pk, "hsh0"), *there)
    client = logged_in(with_role(django_user_model, "user", scene.group, Role.OPERATOR))
    for page in ("networks:detail", "networks:delete", "networks:configure"):
        text = client.get(reverse(page, args=[network])).text
        assert "And on 1 physical server that you may not see." in text, page
        assert "And 2 interfaces on physical servers that you may not see." in text, page
        assert " yet." not in text, page
    decide(AddMember(network, scene.key(scene.server1, "102")))
    text = client.get(reverse("networks:detail", args=[network])).text
    assert "And on 1 physical server that" in text and "And 2 interfaces" in text and "ct102" in text


def test_nothing_is_said_of_hidden_servers_where_there_are_none(
    scene: Scene, admin: Any, django_user_model: Any
) -> None:
    hidden = hidden_server(scene)
    network = str(uuid.uuid4())
    decide(CreateNetwork(network, "nowhere"))
    address = reverse("networks:detail", args=[network])
    client = logged_in(with_role(django_user_model, "user", scene.group, Role.OPERATOR))
    text = client.get(address).text
    assert "Not on any server yet" in text and "No containers yet" in text and "may not see" not in text
    decide(Assign(network, hidden.pk, "hsh0"))
    assert "may not see" not in logged_in(admin).get(address).text


@pytest.mark.parametrize("role", ["none", Role.OPERATOR])
def test_what_is_posted_about_a_hidden_server_is_answered_alike_whatever_is_there(
    role: str, scene: Scene, django_user_model: Any
) -> None:
    hidden = hidden_server(scene)
    make_container(hidden, "98767", "venet0")
    mine, theirs = str(uuid.uuid4()), str(uuid.uuid4())
    decide(
        CreateNetwork(mine, "mine"),
        CreateNetwork(theirs, "theirs"),
        Assign(theirs, hidden.pk, "hsh0"),
        AddMember(theirs, InterfaceKey(hidden.pk, "98765", "hsh0")),
        Assign(mine, hidden.pk, None),
    )
    user = django_user_model.objects.create_user("nobody", password="x")
    if role in Role.values:
        user = with_role(django_user_model, "user", scene.group, Role(role))
    client, nowhere = logged_in(user), hidden.pk + 1000
    posts: list[tuple[str, dict[str, Any]]] = []
    grids = [] if role == "none" else [reverse("networks:group_grid", args=[scene.group.pk])]
    for network in (mine, theirs):
        for server, value in (
            *((hidden.pk, f"adapter:{name}") for name in ("hsh0", "hsh1", "eth7")),
            (hidden.pk, "local"), (hidden.pk, "none"), (nowhere, "adapter:eth0"), (nowhere, "none"),
        ):  # fmt: skip
            cell = {"server": server, "network": network, f"on-{server}-{network}": value}
            posts += [(page, cell) for page in (reverse("networks:assign", args=[network]), *grids)]
        for key in (
            *(f"{hidden.pk}/{ctid}/hsh0" for ctid in ("98765", "98766", "11111")),
            f"{hidden.pk}/98767/venet0", f"{nowhere}/98765/hsh0",
        ):  # fmt: skip
            posts.append((reverse("networks:add_members", args=[network]), {"add": key}))
            posts.append((reverse("networks:members", args=[network]), {"remove": key}))
    answers = {}
    for address, data in posts:
        response = client.post(address, data)
        said = re.search(r"You need the operator role on [^<]*", response.text)
        answers[address, str(data)] = (response.status_code, said and said[0])
    alike = (403, "You need the operator role on that server to change its networks.")
    assert {post: answer for post, answer in answers.items() if answer != alike} == {}
    assert not Draft.objects.exists()
