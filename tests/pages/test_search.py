"""The search finds every kind of thing by all that it may be known by, each with its page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from networks.domain.state import CreateNetwork
from networks.models import VirtualNetwork
from nodes.models import Adapter, Container, ContainerInterface, PhysicalServer, ServerGroup
from tests.networks.changes import decide
from tests.networks.conftest import Scene, make_server

A = "6f1c3a1e-0000-4000-8000-000000000001"


def hits(client: Client, text: str, **headers: str) -> list[tuple[str, str]]:
    """What is found, as (words, address)."""
    page = client.get(reverse("nodes:search"), {"q": text}, headers=headers).text
    found = re.findall(r'<a class="hit" href="([^"]+)">(.*?)</a>', page, re.DOTALL)
    return [(" ".join(re.sub(r"<[^>]+>", " ", words).split()), address) for address, words in found]


@pytest.fixture
def known(scene: Scene) -> Scene:
    decide(CreateNetwork(A, "Shop", "Everything that sells"))
    VirtualNetwork.objects.update(bridge="vn-shop")
    Adapter.objects.filter(server=scene.server1).update(mac="02:aa:00:00:00:01")
    return scene


@pytest.mark.parametrize("text", ["Shop", "shop", "sells", "vn-shop", "vn-"])
def test_a_network_is_found_by_name_description_and_bridge(
    known: Scene, as_viewer: Client, text: str
) -> None:
    words, address = hits(as_viewer, text)[0]
    assert words == "Shop vn-shop Everything that sells virtual network"
    assert address == reverse("networks:detail", args=[A])


def test_a_network_is_found_by_everybody_who_has_logged_in(known: Scene, django_user_model: Any) -> None:
    stranger = Client()
    stranger.force_login(django_user_model.objects.create_user("nadia", password="correct-horse-battery"))
    assert [words.split()[0] for words, _ in hits(stranger, "s")] == ["Shop"], "and nothing else of it"


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("lab", "group", "Lab"),
        ("server1", "server", "server1"),
        ("10.77.0.11", "server", "server1"),
        ("102", "container", "102"),
        ("ct102", "container", "102"),
        ("02:aa:00:00:00:01", "adapter", "eth0"),
        ("00:18:51:00:03:00", "interface", "eth0"),
        ("10.77.0.103", "interface", "eth0"),
    ],
)
def test_each_kind_of_the_inventory_is_found(
    known: Scene, as_viewer: Client, text: str, kind: str, name: str
) -> None:
    pages = {
        "group": reverse("nodes:group", args=[known.group.pk]),
        "server": reverse("nodes:server", args=[known.server1.pk]),
        "container": reverse("nodes:container", args=[Container.objects.get(ctid="102").pk]),
        "adapter": reverse("networks:server_adapters", args=[known.server1.pk]),
        "interface": reverse(
            "nodes:container", args=[ContainerInterface.objects.get(container__ctid="103").container_id]
        ),
    }
    found = hits(as_viewer, text)
    assert any(kind in words.split() and name in words.split()[0] for words, _ in found), found
    assert pages[kind] in {address for _, address in found}


def test_the_box_at_the_top_finds_the_same(known: Scene, as_viewer: Client) -> None:
    assert hits(as_viewer, "shop", **{"HX-Request": "true"}) == hits(as_viewer, "shop")


def test_the_very_thing_comes_before_what_only_has_it_in_its_name(known: Scene, as_viewer: Client) -> None:
    decide(CreateNetwork(A[:-1] + "2", "Workshop"))
    assert [words.split()[0] for words, _ in hits(as_viewer, "shop")] == ["Shop", "Workshop"]


def test_what_one_may_not_see_is_not_found(known: Scene, as_viewer: Client) -> None:
    other = ServerGroup.objects.create(name="Elsewhere")
    segment = known.eth0(known.server1).segment
    assert segment
    make_server(other, segment, "hidden1", "10.99.0.1")
    for text in ("hidden", "Elsewhere", "10.99"):
        assert hits(as_viewer, text) == []


def test_nothing_found_says_so(known: Scene, as_viewer: Client) -> None:
    page = as_viewer.get(reverse("nodes:search"), {"q": "nowhere"}).text
    assert "Nothing matches “nowhere”" in page
    assert "Search for the name of anything" in as_viewer.get(reverse("nodes:search")).text


def said(answer: str) -> list[str]:
    """What is put into the status lines of the page around."""
    return re.findall(r'<span id="[a-z]+-said" hx-swap-oob="innerHTML">(.*?)</span>', answer)


def test_how_many_were_found_is_said_to_who_does_not_see_them(known: Scene, as_viewer: Client) -> None:
    address, htmx = reverse("nodes:search"), {"HX-Request": "true"}
    assert said(as_viewer.get(address, {"q": "shop"}, headers=htmx).text) == ["1 found for “shop”."]
    assert said(as_viewer.get(address, {"q": "nowhere"}, headers=htmx).text) == ["Nothing matches “nowhere”."]
    assert said(as_viewer.get(address, {"q": ""}, headers=htmx).text) == [""]
    for number in range(4):
        here = {"server": known.server1}
        PhysicalServer.objects.create(name=f"shop{number}", group=known.group, address="192.0.2.1")
        Container.objects.create(ctid=str(7000 + number), name=f"shop{number}", **here)
        Adapter.objects.create(name=f"shop{number}", **here)
    assert said(as_viewer.get(address, {"q": "shop"}, headers=htmx).text) == [
        "The first 12 found for “shop”."
    ]
    page = as_viewer.get(address, {"q": "shop"}).text
    assert said(page) == [] and page.count('id="search-said"') == 1


def test_the_filter_of_the_tree_says_it_as_well(known: Scene, as_viewer: Client) -> None:
    tree = reverse("nodes:tree")
    assert said(as_viewer.get(tree, {"q": "server"}).text) == ["2 found for “server”."]
    assert said(as_viewer.get(tree, {"q": "nowhere"}).text) == ["0 found for “nowhere”."]
    assert said(as_viewer.get(tree).text) == [""]
    assert said(as_viewer.get(reverse("nodes:tree_group", args=[known.group.pk])).text) == []


def test_the_box_at_the_top_does_not_hold_what_a_list_is_filtered_by(known: Scene, as_viewer: Client) -> None:
    for name, held in (("nodes:servers", ""), ("nodes:search", "server1")):
        page = as_viewer.get(reverse(name), {"q": "server1"}).text
        box = page.split('id="search"', 1)[1].split(">")[0]
        assert f'value="{held}"' in box
