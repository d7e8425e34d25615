"""The commands of both vzctl dialects, and the names that never reach a server."""

from __future__ import annotations

import shlex

import pytest

from nodes.names import BadName
from nodes.vzctl import Unsupported, Vzctl4, Vzctl7, VzctlDialect, dialect

UUID = "0123abcd-0000-4000-8000-00000000000a"
OLD, NEW = Vzctl4(), Vzctl7()


def line(command: object) -> str:
    return str(command)


def test_the_dialect_is_chosen_by_name() -> None:
    assert dialect("4").name == "4" and dialect("7").name == "7"


def test_adding_an_interface_in_dialect_4_leaves_middle_fields_empty() -> None:
    assert line(OLD.add_interface("101", "eth1", bridge="vn-a")) == (
        "vzctl set 101 --netif_add eth1,,,,vn-a --save"
    )
    full = OLD.add_interface("101", "eth1", bridge="vn-a", mac="00:18:51:AA:00:01", host_ifname="veth101.1")
    assert line(full) == "vzctl set 101 --netif_add eth1,00:18:51:aa:00:01,veth101.1,,vn-a --save"


def test_adding_an_interface_in_dialect_7_names_its_type_after_its_network() -> None:
    assert line(
        NEW.add_interface(UUID, "eth1", bridge="vn-a", mac="c4:37:72:00:00:01", host_ifname="vethab")
    ) == (
        f"vzctl set {UUID} --netif_add eth1 --network vn-a --nettype bridge --mac c4:37:72:00:00:01 "
        "--host_ifname vethab --save"
    )
    assert line(NEW.add_interface(UUID, "eth1", bridge="")) == f"vzctl set {UUID} --netif_add eth1 --save"


def test_moving_an_interface() -> None:
    assert line(OLD.move_interface("101", "eth0", bridge="vn-b", host_ifname="veth101.0")) == (
        "vzctl set 101 --ifname eth0 --host_ifname veth101.0 --bridge vn-b --save"
    )
    assert line(NEW.move_interface(UUID, "eth0", bridge="vn-b", host_ifname="veth101.0")) == (
        f"vzctl set {UUID} --ifname eth0 --network vn-b --nettype bridge --save"
    )


def test_taking_an_interface_out_of_every_network() -> None:
    assert line(OLD.move_interface("101", "eth0", bridge="")) == (
        "vzctl set 101 --ifname eth0 --bridge vn-none --save"
    )
    assert NEW.move_interface("101", "eth0", bridge="").argv == (
        *("vzctl", "set", "101", "--ifname", "eth0", "--network", "", "--save"),
    )


@pytest.mark.parametrize("spoken", [OLD, NEW], ids=["4", "7"])
def test_removing_an_interface(spoken: VzctlDialect) -> None:
    assert line(spoken.remove_interface("101", "eth0")) == "vzctl set 101 --netif_del eth0 --save"


def test_all_is_no_interface_in_dialect_4() -> None:
    with pytest.raises(BadName):
        OLD.remove_interface("101", "all")


def test_only_dialect_7_keeps_addresses() -> None:
    assert line(NEW.add_address("101", "eth0", "10.0.0.5/24")) == (
        "vzctl set 101 --ifname eth0 --ipadd 10.0.0.5/24 --save"
    )
    assert line(NEW.remove_address("101", "eth0", "10.0.0.5/24")) == (
        "vzctl set 101 --ifname eth0 --ipdel 10.0.0.5 --save"
    )
    for change in (OLD.add_address, OLD.remove_address):
        with pytest.raises(Unsupported, match="inside the container"):
            change("101", "eth0", "10.0.0.5/24")


@pytest.mark.parametrize("spoken", [OLD, NEW], ids=["4", "7"])
def test_a_script_for_a_container_is_one_argument(spoken: VzctlDialect) -> None:
    command = spoken.execute("101", "ip link; echo '$HOME'")
    assert command.argv == ("vzctl", "exec2", "101", "ip link; echo '$HOME'")
    assert tuple(shlex.split(command.shell())) == command.argv


BAD_NAMES = [
    "",
    "-x",
    "eth0;reboot",
    "$(id)",
    "a" * 16,
    "a/b",
    "a b",
    "..x\n",
    "ü",
    "a\0",
    "eth0,br0",
    ".",
    "a:1",
]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("spoken", [OLD, NEW], ids=["4", "7"])
def test_it_refuses_names_that_are_not_plain(spoken: VzctlDialect, name: str) -> None:
    with pytest.raises(BadName):
        spoken.add_interface("101", name, bridge="vn-a")
    with pytest.raises(BadName):
        spoken.remove_interface("101", name)
    if name:
        with pytest.raises(BadName):
            spoken.move_interface("101", "eth0", bridge=name)
        with pytest.raises(BadName):
            spoken.add_interface("101", "eth0", bridge="vn-a", host_ifname=name)


@pytest.mark.parametrize(
    "ctid", ["", "0", "01", "-1", "101;id", "1" * 11, "../101", UUID + "0", "101\n", "web1"]
)
@pytest.mark.parametrize("spoken", [OLD, NEW], ids=["4", "7"])
def test_it_refuses_what_is_no_identifier_of_a_container(spoken: VzctlDialect, ctid: str) -> None:
    with pytest.raises(BadName):
        spoken.remove_interface(ctid, "eth0")
    with pytest.raises(BadName):
        spoken.execute(ctid, "true")


@pytest.mark.parametrize(
    "mac", ["zz:00:00:00:00:01", "01:00:5e:00:00:01", "00-18-51-00-00-01", "00:18:51:00:00:0"]
)
def test_it_refuses_macs_that_no_interface_can_have(mac: str) -> None:
    with pytest.raises(BadName):
        OLD.add_interface("101", "eth0", bridge="vn-a", mac=mac)


@pytest.mark.parametrize("address", ["", "10.0.0.300", "10.0.0.1/33", "10.0.0.1;id", "fe80::1%eth0", "all"])
def test_it_refuses_what_is_no_address(address: str) -> None:
    with pytest.raises(BadName):
        NEW.add_address("101", "eth0", address)
