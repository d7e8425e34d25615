"""What a server says the same until it restarts is asked now and then, and put back where it was left out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nodes import remembered
from nodes.remembered import ASK_AGAIN, completed, known_of

BOOT = "ddfa4874-5051-4729-8255-236f607e1367"
OTHER_BOOT = "0c1276b8-4711-4a2e-9d1e-000000000001"


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    remembered.forget_all()
    yield
    remembered.forget_all()


def section(nonce: str, name: str, body: str, rc: int = 0) -> str:
    return f"\n@{nonce} begin {name}\n{body}\n@{nonce} rc {rc}\n"


def look(
    nonce: str = "a1a1a1a1a1a1a1a1",
    boot: str = BOOT,
    ip: str = "ip utility, iproute2-6.1.0\n",
    bridge: bool = False,
) -> str:
    kernel = f"/proc/sys/kernel/random/boot_id:{boot}\n" + ("br0/bridge/stp_state:0\n" if bridge else "")
    return (
        f"\n@{nonce} look 1\n"
        + section(nonce, "kernel", kernel)
        + section(nonce, "modules", "/proc/config-\n")
        + section(nonce, "ip-version", ip)
        + section(nonce, "vzctl-version", "vzctl version 4.11.1\n")
        + section(nonce, "vzlist", "101 running\n")
        + f"\n@{nonce} done\n"
    )


def without(text: str, nonce: str, *names: str) -> str:
    """The same look by a server that was told what it need not say."""
    for name in names:
        start = text.index(f"@{nonce} begin {name}\n")
        end = text.index(f"@{nonce} rc 0", start) + len(f"@{nonce} rc 0")
        text = f"{text[:start]}@{nonce} same {name}{text[end:]}"
    return text


ALL = ("modules", "ip-version", "vzctl-version")


def heard(text: str, nonce: str = "a1a1a1a1a1a1a1a1", server: int = 1) -> bytes:
    return completed(server, text.encode(), nonce, known_of(server))


def words(server: int = 1) -> tuple[str, ...]:
    known = known_of(server)
    return known.words if known else ()


def test_a_first_look_asks_for_everything_and_the_next_names_what_is_known() -> None:
    assert words() == ()
    assert heard(look()) == look().encode()
    assert words() == (BOOT, *ALL)
    assert words(server=2) == ()


def test_what_was_left_out_is_put_back_byte_for_byte() -> None:
    heard(look())
    assert (
        heard(without(look("b2b2b2b2b2b2b2b2"), "b2b2b2b2b2b2b2b2", *ALL), "b2b2b2b2b2b2b2b2")
        == look("b2b2b2b2b2b2b2b2").encode()
    )


def test_after_a_restart_what_it_says_now_counts() -> None:
    heard(look())
    assert b"iproute2-6.9" in heard(
        look("b2b2b2b2b2b2b2b2", OTHER_BOOT, ip="iproute2-6.9\n"), "b2b2b2b2b2b2b2b2"
    )
    assert words()[0] == OTHER_BOOT
    again = heard(
        without(look("c3c3c3c3c3c3c3c3", OTHER_BOOT), "c3c3c3c3c3c3c3c3", "ip-version"), "c3c3c3c3c3c3c3c3"
    )
    assert b"iproute2-6.9" in again and b"iproute2-6.1" not in again


def test_everything_is_asked_again_now_and_then() -> None:
    heard(look())
    asked = [bool(words()) for _ in range(ASK_AGAIN)]
    assert asked == [True] * (ASK_AGAIN - 1) + [False]
    assert words() == ()


def test_an_ip_that_prints_no_json_is_asked_each_time() -> None:
    heard(look(ip="ip utility, iproute2-ss170501\n"))
    assert words() == (BOOT, "modules", "vzctl-version")


def test_whether_tags_can_be_filtered_is_not_remembered_of_a_look_that_did_not_search_for_it() -> None:
    heard(look(bridge=True))
    assert words() == (BOOT, "ip-version", "vzctl-version")


def test_a_tool_that_failed_or_said_too_much_is_asked_each_time() -> None:
    failed = look().replace("4.11.1\n\n@a1a1a1a1a1a1a1a1 rc 0", "4.11.1\n\n@a1a1a1a1a1a1a1a1 rc 137")
    heard(failed.replace("/proc/config-\n", "x" * 5000 + "\n"))
    assert words() == (BOOT, "ip-version")


def test_a_cut_look_or_none_at_all_leaves_nothing_known() -> None:
    heard(look())
    assert heard("sh: not found\n", "b2b2b2b2b2b2b2b2") == b"sh: not found\n"
    assert words() == ()


def test_a_server_that_leaves_out_the_same_a_thousand_times_gets_it_back_once() -> None:
    heard(look())
    nonce = "b2" * 8
    answer = heard(look(nonce).replace("101 running", f"@{nonce} same modules\n\n" * 1000), nonce)
    assert answer.count(b"/proc/config-") == 2 and answer.count(b" same modules") == 999


def test_a_server_that_somebody_looks_at_is_asked_for_everything() -> None:
    heard(look())
    remembered.forget(1)
    assert words() == ()


def test_only_the_look_s_own_lines_are_replaced() -> None:
    heard(look())
    text = without(look("b2b2b2b2b2b2b2b2"), "b2b2b2b2b2b2b2b2", *ALL).replace(
        "101 running",
        "@a1a1a1a1a1a1a1a1 same modules\n@b2b2b2b2b2b2b2b2 same vzlist\n x @b2b2b2b2b2b2b2b2 same modules",
    )
    answer = heard(text, "b2b2b2b2b2b2b2b2").decode()
    assert (
        "@a1a1a1a1a1a1a1a1 same modules\n@b2b2b2b2b2b2b2b2 same vzlist\n x @b2b2b2b2b2b2b2b2 same modules"
        in answer
        and answer.count("/proc/config-") == 1
    )
