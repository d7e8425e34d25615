"""axe finds nothing serious on any page, in light and dark, and nothing sticks out of a narrow screen."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from tests.browser.conftest import A

VENDOR = Path(__file__).parent / "vendor"
AXE = VENDOR / "axe.min.js"
RUN = """async () => (await axe.run({resultTypes: ["violations"]})).violations
    .filter(found => ["serious", "critical"].includes(found.impact))
    .map(found => found.id + ": " + found.nodes.map(node => node.target.join(" ")).join(", "))"""


def addresses(site: Any) -> list[str]:
    """Every page, with something on it."""
    one, two = site.scene.server1.pk, site.scene.server2.pk
    group, container = site.scene.group.pk, site.scene.server1.containers.first().pk
    return [
        reverse("home"),
        reverse("health"),
        reverse("nodes:servers"),
        reverse("nodes:add_server"),
        reverse("nodes:create_group"),
        *(reverse(f"nodes:{name}", args=[group]) for name in ("group", "group_servers", "group_containers")),
        *(reverse(f"nodes:{name}", args=[group]) for name in ("edit_group", "remove_group")),
        *(reverse(f"nodes:{name}", args=[one]) for name in ("server", "server_containers", "edit_server")),
        *(reverse(f"networks:{name}", args=[one]) for name in ("server_adapters", "create_vlan")),
        reverse("networks:delete_vlan", args=[one, "eth0.100"]),
        *(reverse(f"nodes:{name}", args=[two]) for name in ("server", "host_key", "preflight")),
        reverse("nodes:remove_server", args=[one]),
        *(reverse("networks:prepare_server", args=[server]) for server in (one, two)),
        reverse("networks:prepare_server", args=[two]) + "?take=away",
        reverse("nodes:container", args=[container]),
        *(reverse(f"networks:{name}", args=[container]) for name in ("container_network", "add_interface")),
        reverse("nodes:search") + "?q=10",
        reverse("networks:list"),
        reverse("networks:create"),
        reverse("networks:group_networks", args=[group]),
        reverse("networks:server_networks", args=[one]),
        reverse("networks:create_on_server", args=[one]),
        reverse("networks:configure_on_server", args=[one, A]),
        *(reverse(f"networks:{name}", args=[A]) for name in ("detail", "configure", "delete")),
        reverse("networks:configure", args=[A]) + "?which=all",
        reverse("networks:add_members", args=[A]) + "?container=10",
        reverse("networks:group_grid", args=[group]),
        reverse("networks:assign_many", args=[A]) + "?adapter=eth0&vid=5",
        reverse("networks:problems"),
        reverse("networks:drift"),
        *(reverse("networks:server_drift", args=[server]) for server in (one, two)),
        reverse("networks:intent", args=[A]),
        reverse("networks:what_if") + f"?what=s:{one}&add=nothing",
        reverse("networks:topology"),
        reverse("networks:group_topology", args=[group]),
        reverse("networks:server_topology", args=[one]),
        reverse("networks:network_topology", args=[A]),
        reverse("networks:container_topology", args=[container]),
        reverse("networks:group_visibility", args=[group]),
        reverse("networks:server_visibility", args=[one]),
        reverse("networks:network_visibility", args=[A]),
        reverse("networks:explain"),
        reverse("networks:explain") + "?from=102&to=other+hosts",
        reverse("networks:explain") + "?from=nobody&to=other+hosts",
        reverse("networks:draft"),
        reverse("networks:changes"),
        reverse("networks:change", args=[site.review.pk]),
        reverse("networks:change", args=[site.done.pk]),
        "/no-such-page/",
    ]


@pytest.mark.browser
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 400)])
def test_no_page_has_a_serious_finding(
    open_page: Callable[..., Any], site: Any, theme: str, width: int
) -> None:
    # The policy of the pages is right to refuse a script of ours: only this test goes around it.
    page = open_page(
        color_scheme=theme,
        viewport={"width": width, "height": 800},
        bypass_csp=True,
        reduced_motion="reduce",
    )
    wrong = []
    for address in addresses(site):
        page.goto(address)
        if page.locator("#tree").count():
            page.wait_for_selector("#tree a", state="attached")
        page.add_script_tag(path=str(AXE))
        wrong += [f"{address}: {finding}" for finding in page.evaluate(RUN)]
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wrong.append(f"{address}: wider than {width} px")
    assert not wrong, "\n".join(wrong)


def test_axe_is_the_one_that_is_listed() -> None:
    rows = re.findall(
        r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|", (VENDOR / "VENDORED.md").read_text(), re.MULTILINE
    )
    assert {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name, _ in rows} == dict(rows)
    assert [name for name, _ in rows] == ["axe.min.js"]
