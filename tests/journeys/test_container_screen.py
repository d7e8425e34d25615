"""Container network parameters by clicking: an adapter is added, seen in the lab, and removed again."""

from __future__ import annotations

from typing import Any

import pytest

from lab import status
from lab.lab import Lab
from tests.journeys.conftest import apply_draft
from tests.vnetpanel.conftest import RunningPanel


def interfaces(lab: Lab, ctid: str) -> dict[str, status.InterfaceStatus]:
    """What `manage.py lab` says that the container has."""
    containers = {c.ctid: c for server in status.look(lab).servers for c in server.containers}
    return {one.ifname: one for one in containers[ctid].interfaces}


def open_network(page: Any, ctid: str) -> None:
    """The container's page of network parameters, found by the search."""
    page.goto(f"/search/?q={ctid}")
    page.click(f".hit-list a:has-text('ct{ctid}')")
    page.click("main a:text-is('Network')")
    page.wait_for_selector("h2:has-text('Container network parameters')")


@pytest.mark.parametrize("ctid", ["103", "303"], ids=["vzctl 4", "vzctl 7"])
def test_an_adapter_is_added_and_removed_as_the_lab_sees_it(
    panel: RunningPanel, fresh_lab: Lab, page: Any, ctid: str
) -> None:
    before = interfaces(fresh_lab, ctid)
    open_network(page, ctid)
    for name in before:
        page.wait_for_selector(f"#adapter-{name}")
    page.click("a:has-text('Add Network Adapter')")
    name = page.input_value("[name=ifname]")
    assert name not in before
    page.fill("[name=address]", "10.99.9.3/24")
    page.click("main button:has-text('Add to draft')")
    page.wait_for_selector(f"#adapter-{name} >> text=new in your draft")
    apply_draft(page)

    made = interfaces(fresh_lab, ctid)
    assert made.keys() == {*before, name} and "10.99.9.3/24" in made[name].addresses
    open_network(page, ctid)
    card = " ".join(page.inner_text(f"#adapter-{name}").split())
    for said in ("Bridged", made[name].mac, made[name].host_ifname, "10.99.9.3/24"):
        assert said in card
    assert "in your draft" not in card

    page.click(f"[aria-label='Remove {name}']")
    page.wait_for_selector(f"#adapter-{name} >> text=is removed in your draft")
    apply_draft(page)
    assert interfaces(fresh_lab, ctid) == before
    open_network(page, ctid)
    assert page.locator(f"#adapter-{name}").count() == 0
