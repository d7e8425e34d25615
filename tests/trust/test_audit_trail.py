"""The audit trail: what a line holds, and that a line which was changed or removed is found."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from trust import triggers
from trust.audit import record
from trust.models import AppendOnly, Entry

pytestmark = pytest.mark.django_db


def verify(*arguments: str) -> str:
    out, err = StringIO(), StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return f"{err.getvalue()}{error}"
    return out.getvalue()


def behind_our_back(statement: str, *values: Any) -> None:
    """What somebody with the database's password can do."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def lines() -> list[Entry]:
    return [record("test.done", f"Thing {number} was done.", actor="root") for number in range(1, 6)]


def test_a_line_says_who_what_and_where(alice: Any) -> None:
    entry = record("x.done", "Done.", actor=alice, servers=[(7, "server7")], plan="ip link", result="ok")
    stored = Entry.objects.get(pk=entry.number)
    assert (stored.actor, stored.actor_key, stored.server_names) == ("alice", alice.pk, ["server7"])
    assert (stored.text, stored.plan, stored.result) == ("Done.", "ip link", "ok")


def test_an_untouched_trail_is_whole(lines: list[Entry]) -> None:
    last = Entry.objects.order_by("-number")[0]
    assert f"all as they were written. The last: {last.number}:{last.digest}" in verify()


def test_an_empty_trail_is_whole() -> None:
    assert "empty" in verify()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("text", "Nothing was done."),
        ("actor", "mallory"),
        ("servers", "1 x"),
        ("at", "2020-01-01 00:00:00+00:00"),
    ],
)
def test_a_changed_line_is_found(lines: list[Entry], column: str, value: str) -> None:
    number = lines[2].number
    behind_our_back(f"UPDATE trust_entry SET {column} = %s WHERE number = %s", value, number)
    assert f"Line {number} was changed after it was written." in verify()


def test_a_line_rewritten_with_a_digest_of_its_own_breaks_the_chain(lines: list[Entry]) -> None:
    from trust import chain
    from trust.audit import line_of

    entry = Entry.objects.get(pk=lines[2].number)
    entry.text = "Nothing was done."
    forged = chain.digest(line_of(entry))
    behind_our_back(
        "UPDATE trust_entry SET text = %s, digest = %s WHERE number = %s", entry.text, forged, entry.number
    )
    assert f"Line {entry.number + 1} does not follow" in verify()


def test_a_removed_line_is_found(lines: list[Entry]) -> None:
    number = lines[1].number
    behind_our_back("DELETE FROM trust_entry WHERE number = %s", number)
    assert f"Missing before line {number + 1}: {number}." in verify()


def test_an_end_that_was_cut_off_is_found_by_what_was_written_down(lines: list[Entry]) -> None:
    last = lines[-1]
    assert "1 faults" not in verify("--expect", f"{last.number}:{last.digest}")
    behind_our_back("DELETE FROM trust_entry WHERE number = %s", last.number)
    assert "all as they were written" in verify()
    assert f"Line {last.number} with the digest {last.digest} is not there." in verify(
        "--expect", f"{last.number}:{last.digest}"
    )


def test_a_line_leaves_together_with_what_it_tells_of() -> None:
    try:
        with transaction.atomic():
            record("x.done", "Done.")
            raise RuntimeError
    except RuntimeError:
        pass
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    "evil", ["a\x00b", "\x1b[31mred", "\u202eltr", "\ud800", "<script>alert(1)</script>" * 999]
)
def test_hostile_words_are_stored_bounded_and_without_control_characters(evil: str) -> None:
    entry = record("x.done", evil, servers=[(1, evil)], plan=evil, result=evil, actor=evil)
    stored = Entry.objects.get(pk=entry.number)
    assert len(stored.text) <= 1000 and len(stored.server_names) == 1
    for text in (stored.text, stored.plan, stored.result, stored.actor, stored.servers):
        assert not any(ord(letter) < 32 and letter != "\n" for letter in text)
    assert "all as they were written" in verify()


def test_a_secret_is_masked() -> None:
    entry = record("x.done", "Tried password=hunter2 there.", plan="-----BEGIN OPENSSH PRIVATE KEY-----\nabc")
    assert "hunter2" not in entry.text and "abc" not in entry.plan


def test_no_code_changes_or_removes_a_line(lines: list[Entry]) -> None:
    entry = Entry.objects.get(pk=lines[0].number)
    entry.text = "Nothing."
    for attempt in (
        entry.save,
        entry.delete,
        Entry.objects.all().delete,
        lambda: Entry.objects.update(text=""),
        lambda: Entry.objects.bulk_update([entry], ["text"]),
        lambda: Entry.objects.bulk_create([entry]),
    ):
        with pytest.raises(AppendOnly):
            attempt()
    assert Entry.objects.count() == len(lines)


@pytest.fixture
def guarded(lines: list[Entry]) -> list[Entry]:
    triggers.install(connection)
    return lines


@pytest.mark.parametrize("statement", ["UPDATE trust_entry SET text = 'x'", "DELETE FROM trust_entry"])
def test_the_database_refuses_as_well(guarded: list[Entry], statement: str) -> None:
    with pytest.raises(Exception, match="append-only"), transaction.atomic():
        behind_our_back(statement)
    assert Entry.objects.count() == len(guarded)
    record("x.done", "More can be added.")
    assert Entry.objects.count() == len(guarded) + 1
