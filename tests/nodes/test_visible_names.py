"""Names that people enter can be seen as they are, wherever they are entered, and no two look the same."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from nodes.models import Adapter, Credential, PhysicalSegment, PhysicalServer, ServerGroup
from nodes.services import ServiceError, change_group, change_server, create_group
from nodes.visible_names import as_seen, unseen_in
from tests.nodes.test_stale_admin_forms import as_shown, sent

UNSEEN = {
    "Production\u200b": "U+200B ZERO WIDTH SPACE, after “Production”",
    "\u202eProduction": "U+202E RIGHT-TO-LEFT OVERRIDE, at its beginning",
    "Produc\xadtion": "U+00AD SOFT HYPHEN, after “Produc”",
    "a\x1b[31mb": "U+001B, after “a”",
    "Production\u3164": "U+3164 HANGUL FILLER, after “Production”",
    "a\u034fb": "U+034F COMBINING GRAPHEME JOINER, after “a”",
    "a\ufe0fb": "U+FE0F VARIATION SELECTOR-16, after “a”",
    "a\U000e0101b": "U+E0101 VARIATION SELECTOR-18, after “a”",
    "\u2800": "U+2800 BRAILLE PATTERN BLANK, at its beginning",
    "the front servers of the shop\u2060": "U+2060 WORD JOINER, after “ servers of the shop”",
    # Joiners where they do nothing, or where another name would look the same.
    "web\u200d1": "U+200D ZERO WIDTH JOINER, after “web”",
    "\u200cمی": "U+200C ZERO WIDTH NON-JOINER, at its beginning",
    "می\u200c": "U+200C ZERO WIDTH NON-JOINER, after “می”",
    "می\u200c\u200cشد": "U+200C ZERO WIDTH NON-JOINER, after “می”",
    "می\u200cweb": "U+200C ZERO WIDTH NON-JOINER, after “می”",
    "می\u200c1": "U+200C ZERO WIDTH NON-JOINER, after “می”",
    "می\u200cक": "U+200C ZERO WIDTH NON-JOINER, after “می”",
    "\U0001f469\u200d\U0001f4bb": "U+200D ZERO WIDTH JOINER, after “\U0001f469”",
}
SEEN = [
    "Продакшн", "生产 网络", "नेटवर्क", "a\u00a0b", "Büro 😀", "e\u0301", "⚠\ufe0f Produktion",
    "می\u200cشد",  # Persian
    "क्\u200dष", "क्\u200cष",  # Devanagari
    "അവന്\u200dറെ",  # Malayalam
    "ක්\u200dෂ",  # Sinhala
    "র\u200d্য",  # Bengali
]  # fmt: skip
LOOK_ALIKE = [
    ("Production", "Production\u200b"),
    ("Production", "Production\u3164"),
    ("\xe9", "e\u0301"),
    ("a b", "a\u00a0b"),
    ("میشد", "می\u200cشد"),
    ("⚠ x", "⚠\ufe0f x"),
]


@pytest.mark.parametrize("name", UNSEEN, ids=ascii)
def test_the_character_and_its_place_are_named(name: str) -> None:
    assert unseen_in(name) == f"holds a character that cannot be seen: {UNSEEN[name]}"


@pytest.mark.parametrize("name", SEEN, ids=ascii)
def test_names_in_any_script_are_taken_with_the_joiners_that_it_needs(name: str) -> None:
    assert unseen_in(name) == ""


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKE, ids=ascii)
def test_names_that_look_the_same_are_the_same_to_people(one: str, other: str) -> None:
    assert as_seen(one) == as_seen(other)


@given(st.text())
def test_what_is_seen_of_a_name_stays_what_it_is(name: str) -> None:
    seen = as_seen(name)
    assert as_seen(seen) == seen and unseen_in(seen) == ""


@pytest.fixture
def named(
    group: ServerGroup, credential: Credential, server: PhysicalServer, windows: PhysicalServer, alice: Any
) -> dict[str, Any]:
    """A row of each kind that people name in the administration, by the page of its kind."""
    return {
        "nodes_servergroup": group,
        "nodes_physicalserver": server,
        "nodes_credential": credential,
        "nodes_physicalsegment": PhysicalSegment.objects.create(name="other wire"),
        "nodes_adapter": Adapter.objects.create(server=windows, name="Ethernet 1", origin="entered"),
        "auth_group": Group.objects.create(name="auditors"),
    }


KINDS = (
    "nodes_servergroup", "nodes_physicalserver", "nodes_credential", "nodes_physicalsegment", "nodes_adapter",
    "auth_group",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_administration_it_is_refused_beside_its_field(
    office: Client, named: dict[str, Any], kind: str
) -> None:
    row = named[kind]
    before = row.name
    for address in (reverse(f"admin:{kind}_change", args=[row.pk]), reverse(f"admin:{kind}_add")):
        answer = office.post(address, as_shown(office, address) | {"name": "Production\u200b"})
        errors = answer.context["adminform"].form.errors["name"]
        assert errors == [
            "This holds a character that cannot be seen: U+200B ZERO WIDTH SPACE, after “Production”. "
            "Enter it without that."
        ]
    row.refresh_from_db()
    assert row.name == before and not type(row).objects.filter(name__contains="\u200b").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_administration_a_stored_one_is_said_and_stops_nothing_else(
    office: Client, named: dict[str, Any], kind: str
) -> None:
    row = named[kind]
    type(row).objects.filter(pk=row.pk).update(name="<b>\u200b")
    address = reverse(f"admin:{kind}_change", args=[row.pk])
    page = office.get(address).text
    assert "U+200B ZERO WIDTH SPACE, after “&lt;b&gt;”" in page and "“<b>" not in page
    sent(office, address, as_shown(office, address) | {"description": "typed", "username": "typed"})
    row.refresh_from_db()
    assert row.name == "<b>\u200b"
    assert getattr(row, "description", getattr(row, "username", "typed")) == "typed"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "auth_group"])
def test_in_the_administration_none_is_entered_that_looks_like_another(
    office: Client, named: dict[str, Any], kind: str
) -> None:
    row = named[kind]
    type(row).objects.filter(pk=row.pk).update(name="Web\u200b 1")
    address = reverse(f"admin:{kind}_add")
    form = as_shown(office, address) | {"name": "Web  1", "server": getattr(row, "server_id", "")}
    errors = office.post(address, form).context["adminform"].form.errors["name"]
    assert errors == ["There is “Web\u200b 1” already, which looks the same. Enter another name."]


def test_a_user_is_not_called_like_another_with_a_filler_behind(office: Client, alice: Any) -> None:
    address = reverse("admin:auth_user_add")
    form = {
        "username": "alice\u1160",
        "password1": "correct-horse-battery",
        "password2": "correct-horse-battery",
    }
    answer = office.post(address, form | {"usable_password": "true"})
    assert "HANGUL JUNGSEONG FILLER" in answer.context["adminform"].form.errors["username"][0]
    assert not User.objects.filter(username__startswith="alice\u1160").exists()


@pytest.mark.parametrize("page", ["group", "server"])
def test_in_the_panel_a_stored_one_is_said_and_stops_nothing_else(
    office: Client, group: ServerGroup, server: PhysicalServer, page: str
) -> None:
    row: Any = {"group": group, "server": server}[page]
    type(row).objects.filter(pk=row.pk).update(name="<b>\u200b")
    address = reverse(f"nodes:edit_{page}", args=[row.pk])
    shown = office.get(address)
    assert "U+200B ZERO WIDTH SPACE, after “&lt;b&gt;”" in shown.text and "“<b>" not in shown.text
    form = {
        bound.name: bound.value() for bound in shown.context["form"] if bound.value() not in (None, False)
    }
    form |= {f"initial-{name}": value for name, value in form.items()} | {"description": "typed"}
    assert office.post(address, form | {"initial-description": ""}).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.description) == ("<b>\u200b", "typed")
    answer = office.post(address, form | {"name": "other\u200b"})
    assert "U+200B ZERO WIDTH SPACE, after “other”" in answer.context["form"].errors["name"][0]


def test_services_ask_the_same(admin: Any, group: ServerGroup, server: PhysicalServer) -> None:
    for refused in ("a\u200b", "Berlin\u00a0"):
        with pytest.raises(ServiceError) as error:
            create_group(admin, refused)
        assert error.value.field == "name"
    with pytest.raises(ServiceError):
        change_server(admin, server, name="a\u200b")
    assert create_group(admin, "Berlin\u00a0", parent=group).name == "Berlin"


def test_a_group_is_not_moved_beside_one_that_looks_the_same(admin: Any, group: ServerGroup) -> None:
    inside = ServerGroup.objects.create(name="Berlin\u200b", parent=group)
    with pytest.raises(ServiceError, match="looks the same"):
        change_group(admin, inside, parent=None)
    elsewhere = ServerGroup.objects.create(name="Elsewhere")
    assert change_group(admin, inside, parent=elsewhere).parent == elsewhere
