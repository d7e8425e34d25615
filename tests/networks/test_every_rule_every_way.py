"""Which test tries to break which rule in which way: one table, whose tests exist.

Ways: by a form of ours; by the Django admin; by a post that no form of ours sends; by two requests at the
same moment. Each rule is a named function in networks/domain/rules; its own cases are in
tests/domain/test_rules.py and, for 14, tests/domain/test_boot_rule.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FORMS = "pages/test_network_forms.py"
CONFIGURE = "pages/test_configure.py"
ADAPTERS = "pages/test_adapters.py"
PAGES = "pages/test_rules_on_pages.py"
HOLD = "networks/test_rules_hold.py"
AT_ONCE = "networks/test_warnings_at_once.py"
ADMIN = "networks/test_rules_in_the_admin.py"

DESIRED_IN_ADMIN = f"{ADMIN}::test_no_row_of_desired_is_written_in_the_admin"
FOUND_IN_ADMIN = f"{ADMIN}::test_what_was_found_is_not_entered_so_that_a_network_breaks_a_rule"
SEGMENT_IN_ADMIN = (
    f"{ADMIN}::test_another_segment_is_entered_and_the_split_is_warned_of_where_the_network_is_shown"
)
CRAFTED_DRAFT = f"{HOLD}::test_a_draft_that_breaks_it_is_not_applied_however_it_came_about"
TWO_DECISIONS = f"{HOLD}::test_two_decisions_at_once_do_not_break_it"
WHOLE_DRAFT = f"{PAGES}::test_what_only_the_whole_draft_breaks_is_refused_on_its_page"
WARNED = f"{PAGES}::test_a_warning_is_shown_on_the_draft_and_with_the_network"
CRAFTED_TICK = f"{PAGES}::test_a_crafted_tick_accepts_no_warning"
WARNED_AT_ONCE = f"{AT_ONCE}::test_of_two_decisions_at_once_only_one_is_taken"
TWO_OF_ONE_SERVER = "networks/test_at_the_same_time.py::test_two_changes_of_one_server_do_not_both_begin"

WAYS = ("form", "admin", "crafted post", "two at once")
TABLE: dict[str, tuple[str, str, str, str]] = {
    "1 a network's name is unique": (
        f"{FORMS}::test_a_name_that_is_taken_is_refused_beside_the_field",
        DESIRED_IN_ADMIN,
        CRAFTED_DRAFT,
        TWO_DECISIONS,
    ),
    "2 only bridged interfaces join": (
        f"{FORMS}::test_a_host_routed_interface_is_refused_with_the_reason",
        FOUND_IN_ADMIN,
        f"{PAGES}::test_no_post_takes_a_member_that_is_refused_beside_it",
        f"{HOLD}::test_2_a_look_that_finds_it_host_routed_meanwhile_stops_the_member_or_shows_it",
    ),
    "3 an interface is in one network": (
        f"{FORMS}::test_an_interface_of_another_network_is_refused",
        DESIRED_IN_ADMIN,
        CRAFTED_DRAFT,
        TWO_DECISIONS,
    ),
    "4 an adapter is assigned to one network": (
        f"{FORMS}::test_a_taken_adapter_is_shown_with_who_has_it_and_refused",
        DESIRED_IN_ADMIN,
        CRAFTED_DRAFT,
        TWO_DECISIONS,
    ),
    "5 one assignment on a server": (
        f"{CONFIGURE}::test_it_is_assigned_on_the_servers_of_its_members",
        DESIRED_IN_ADMIN,
        f"{PAGES}::test_5_two_values_for_one_cell_are_one_assignment",
        f"{HOLD}::test_5_the_database_keeps_one_assignment_of_a_network_on_a_server",
    ),
    "6 VLAN adapters": (
        f"{ADAPTERS}::test_a_vlan_that_the_rules_refuse_is_refused_in_the_form",
        "nodes/test_admin.py::test_the_rules_of_vlan_adapters_hold",
        CRAFTED_DRAFT,
        TWO_DECISIONS,
    ),
    "7 local on one server": (WHOLE_DRAFT, DESIRED_IN_ADMIN, CRAFTED_DRAFT, TWO_DECISIONS),
    "8 no ring through a container": (WHOLE_DRAFT, FOUND_IN_ADMIN, CRAFTED_DRAFT, TWO_DECISIONS),
    "9 what is in use stays": (
        f"{FORMS}::test_a_network_in_use_is_not_deleted_and_says_by_what",
        f"{ADMIN}::test_what_a_network_uses_is_not_deleted_in_the_admin",
        CRAFTED_DRAFT,
        TWO_DECISIONS,
    ),
    "10 split": (WARNED, SEGMENT_IN_ADMIN, CRAFTED_TICK, WARNED_AT_ONCE),
    "11 merged": (WARNED, SEGMENT_IN_ADMIN, CRAFTED_TICK, WARNED_AT_ONCE),
    "12 addresses": (WARNED, FOUND_IN_ADMIN, CRAFTED_TICK, WARNED_AT_ONCE),
    "13 tag leak": (WARNED, FOUND_IN_ADMIN, CRAFTED_TICK, WARNED_AT_ONCE),
    "14 reboot risk": (WARNED, FOUND_IN_ADMIN, CRAFTED_TICK, TWO_OF_ONE_SERVER),
}


@pytest.mark.parametrize("rule", TABLE)
def test_every_rule_has_a_test_for_every_way(rule: str) -> None:
    for way, name in zip(WAYS, TABLE[rule], strict=True):
        file, _, test = name.partition("::")
        assert re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.MULTILINE), f"{rule} by {way}"


def test_every_rule_of_the_core_is_numbered_here() -> None:
    rules = (ROOT.parent / "networks" / "domain" / "rules").glob("*.py")
    numbers = {number for path in rules for number in re.findall(r"\"\"\"Rule (\d+)", path.read_text())}
    assert numbers <= {rule.split()[0] for rule in TABLE} and len(TABLE) == 14
