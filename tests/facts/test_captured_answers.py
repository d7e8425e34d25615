"""Captured answers in, values out: each file of cases/READER/ beside the value that READER must make of it.

After a change that is meant, write the values anew with UPDATE_CASES=1 and read the difference.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from nodes import facts_json, iproute_json, iproute_text
from nodes.boot import boot_of
from nodes.firewall import firewall_traits
from nodes.owners import link_owners, vz_settings
from nodes.probe_output import parse_look
from nodes.vz_conf import containers_of, parse_vzlist
from nodes.vzctl import Vzctl4, Vzctl7

CASES = Path(__file__).with_name("cases")
LOOK_NONCE = "0123456789abcdef"


def _parts(text: str) -> dict[str, str]:
    """Text before the first line "%name" as "", then each part by its name."""
    found: dict[str, str] = {"": ""}
    name = ""
    for line in text.split("\n"):
        if line.startswith("%"):
            name = line[1:]
            found[name] = ""
        else:
            found[name] += f"{line}\n"
    return found


def _conf(text: str) -> Any:
    parts = _parts(text)
    return containers_of(parts[""], parts["lines"], {"101": "running"}, True, Vzctl4())


def _owners(text: str) -> Any:
    parts = _parts(text)
    indexes = {1: "lo", 2: "eth0", 3: "eth1", 4: "eth2"}
    return [link_owners(parts[""], parts["dhcp"], parts["nmcli"], indexes), *vz_settings(parts[""])]


def _boot(text: str) -> Any:
    parts = _parts(text)
    return boot_of(parts[""], parts["replay"], "systemd" in parts)


def _firewall(text: str) -> Any:
    parts = _parts(text)
    sysctls = {"net.bridge.bridge-nf-call-iptables": "1", "net.bridge.bridge-nf-call-ip6tables": "1"}
    sections = {"nft": parts[""], "iptables": parts["iptables"], "ip6tables": parts["ip6tables"]}
    return firewall_traits(sections, sysctls, {"eth0": "htb", "eth1": "mq", "veth101.0": "noqueue"})


READERS: dict[str, Callable[[str], Any]] = {
    "ip-json": iproute_json.parse_json,
    "ip-text": iproute_text.parse_text,
    "netif-4": lambda text: Vzctl4().parse_netif("102", text),
    "netif-7": lambda text: Vzctl7().parse_netif("102", text),
    "vzlist": lambda text: parse_vzlist(text, finished=True),
    "conf": _conf,
    "owners": _owners,
    "boot": _boot,
    "firewall": _firewall,
    "look": lambda text: json.loads(facts_json.dump(parse_look(text.encode(), LOOK_NONCE)))["facts"],
}


def plain(value: Any) -> Any:
    """As JSON has it: tuples as lists, values without their type."""
    return json.loads(TypeAdapter(Any).dump_json(value))


@pytest.mark.parametrize(
    "path", sorted(CASES.glob("*/*.txt")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_it_makes_the_recorded_value_of_a_captured_answer(path: Path) -> None:
    recorded = path.with_suffix(".json")
    case = json.loads(recorded.read_text())
    assert case["about"], "say where the answer comes from"
    value = plain(READERS[path.parent.name](path.read_text()))
    if os.environ.get("UPDATE_CASES"):
        recorded.write_text(json.dumps({**case, "value": value}, indent=1, ensure_ascii=False) + "\n")
    assert value == case["value"] or os.environ.get("UPDATE_CASES")


def test_json_and_text_of_the_same_links_say_the_same() -> None:
    json_view, text_view = (
        plain(READERS[f"ip-{how}"]((CASES / f"ip-{how}/linux-6.1-all-kinds.txt").read_text()))
        for how in ("json", "text")
    )
    assert json_view == text_view
