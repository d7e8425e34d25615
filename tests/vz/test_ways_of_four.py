"""Ways of vzctl 4.x that no transcript shows: no hook, silent successes, raw texts, what vzlist hides."""

from __future__ import annotations

import json
import re

import pytest

from tests.vz.machine import Machine

pytestmark = pytest.mark.netns


def test_the_stock_tool_puts_nothing_into_a_bridge(four: Machine) -> None:
    four.ok("vzctl", "create", "101")
    four.ok("vzctl", "set", "101", "--netif_add", "eth0,,,,br0", "--save")
    four.ok("vzctl", "start", "101")
    assert four.ports() == {}
    four.ok(
        "vzctl", "set", "101", "--ifname", "eth0", "--host_ifname", "veth101.0", "--bridge", "br1", "--save"
    )
    assert "bridge=br1" in four.line("101", "NETIF")
    four.ok("vzctl", "restart", "101")
    assert four.ports() == {}


def test_a_hot_added_interface_is_up_outside_and_down_inside(four: Machine) -> None:
    four.ok("vzctl", "create", "101")
    four.ok("vzctl", "start", "101")
    four.ok("vzctl", "set", "101", "--netif_add", "eth0,,,,br0", "--save")
    inside = four.ok("vzctl", "exec", "101", "ip", "-br", "link", "show", "eth0")
    assert "DOWN" in inside and ",UP" not in inside
    assert ",UP" in four.ok("ip", "-br", "link", "show", "veth101.0")


def test_the_hook_that_fails_makes_the_first_interface_unsaved(four: Machine) -> None:
    four.write("/etc/vz/vznet.conf", f'EXTERNAL_SCRIPT="{four.root}/hook"\n')
    (four.write("/hook", '#!/bin/sh\necho "$VEID $*"\nexit 1\n')).chmod(0o755)
    four.ok("vzctl", "create", "101")
    four.ok("vzctl", "start", "101")
    answer = four.run("vzctl", "set", "101", "--netif_add", "eth0,,,,br0", "--save")
    assert answer.rc == 130
    assert "101 init veth veth101.0" in answer.out
    assert four.line("101", "NETIF") == ""


def test_a_stopped_container_is_only_configured(four: Machine) -> None:
    four.ok("vzctl", "create", "101")
    assert four.run("vzctl", "set", "101", "--netif_add", "eth0").rc == 31
    assert four.run("vzctl", "set", "101", "--name", "x").rc == 20
    four.ok("vzctl", "set", "101", "--netif_add", "eth0", "--save")
    assert four.links() == set()


def test_a_bridge_is_not_cleared_by_an_empty_word(four: Machine) -> None:
    four.ok("vzctl", "create", "101")
    four.ok("vzctl", "set", "101", "--netif_add", "eth0,,,,br0", "--save")
    four.ok("vzctl", "set", "101", "--ifname", "eth0", "--bridge", "", "--save")
    assert "bridge=br0" in four.line("101", "NETIF")


def test_it_names_host_sides_by_the_digits_of_the_interface(four: Machine) -> None:
    four.ok("vzctl", "create", "101")
    for name in ("eth0", "eth12", "lan", "a7b3", "9x"):
        four.ok("vzctl", "set", "101", "--netif_add", name, "--save")
    names = re.findall(r"ifname=([^,]+),mac=[^,]+,host_ifname=([^,]+)", four.line("101", "NETIF"))
    numbers = {"eth0": "0", "eth12": "12", "lan": "0", "a7b3": "7", "9x": "0"}
    assert dict(names) == {name: f"veth101.{number}" for name, number in numbers.items()}


def test_a_conf_with_keys_in_any_order_is_read(four: Machine) -> None:
    four.ok("vzctl", "create", "101")
    with (four.root / "etc/vz/conf/101.conf").open("a") as conf:
        conf.write(
            'NETIF="future=1,bridge=br0,ifname=eth1;host_mac=02:00:00:00:00:01,ifname=eth2"\n# kept\nX=raw'
        )
    four.ok("vzctl", "set", "101", "--netif_del", "eth9", "--save")
    assert re.fullmatch(
        r'NETIF="ifname=eth1,bridge=br0,mac=00:18:51:(..:..:..),host_ifname=veth101\.1,host_mac=00:18:51:\1;'
        r'ifname=eth2,mac=00:18:51:..:..:..,host_ifname=veth101\.2,host_mac=02:00:00:00:00:01"',
        four.line("101", "NETIF"),
    )
    assert four.conf("101").endswith("# kept\nX=raw\n")


def test_names_and_texts_are_written_raw_so_json_can_break(four: Machine) -> None:
    four.ok("vzctl", "create", "101", "--name", "a b")
    four.ok("vzctl", "set", "a b", "--description", 'say "hi" \\ $HOME', "--save")
    assert four.line("101", "DESCRIPTION") == 'DESCRIPTION="say "hi" \\ $HOME"'
    with pytest.raises(json.JSONDecodeError):
        json.loads(four.ok("vzlist", "-a", "-j", "-o", "ctid,description"))
    assert json.loads(four.ok("vzlist", "-a", "-j", "-o", "ctid,name")) == [{"ctid": 101, "name": "a b"}]
    assert four.run("vzctl", "set", "101", "--name", "a/b", "--save").rc == 131


def test_all_fields_come_in_json_and_all_strings_in_text(four: Machine) -> None:
    four.ok("vzctl", "create", "9", "--hostname", "x" * 40)
    four.ok("vzctl", "create", "101", "--ipadd", "10.9.0.101/24", "--ipadd", "10.9.0.102")
    [nine, other] = json.loads(four.ok("vzlist", "-a", "-j"))
    assert (nine["ctid"], other["ctid"], nine["kmemsize"]["held"], other["disabled"]) == (9, 101, 0, False)
    assert four.ok("vzlist", "-aH", "-octid,hostname,ip", "9").split() == ["9", "x" * 32, "-"]
    assert four.ok("vzlist", "-aHt", "-octid,hostname,ip", "9").split() == ["9", "x" * 40, "-"]
    assert four.ok("vzlist", "-aH", "-oip,ctid", "101").split() == ["10.9.0.101/24", "101"]


def test_vzlist_hides_what_has_no_private_area(four: Machine) -> None:
    four.ok("vzctl", "set", "999", "--netif_add", "eth0", "--save")
    four.write("/etc/vz/conf/0.conf", "")
    assert four.run("vzlist", "-a", "-H", "-o", "ctid").out == ()
    four.ok("vzctl", "create", "101")
    assert four.ok("vzlist", "-a", "-H", "-o", "ctid").split() == ["101"]


def test_nothing_to_list_is_an_error_only_when_asked_for(four: Machine) -> None:
    assert four.run("vzlist", "-a").rc == 0
    assert four.run("vzlist", "-a").err == ("Container(s) not found",)
    assert four.run("vzlist", "-aj").out == ("[]",)
    assert four.run("vzlist", "101").rc == 1
    assert four.run("vzlist", "-i", "eth0").rc == 1


def test_without_the_global_conf_nothing_works(four: Machine) -> None:
    (four.root / "etc/vz/vz.conf").unlink()
    assert four.run("vzctl", "create", "101").rc == 10
