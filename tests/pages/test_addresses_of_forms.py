"""An address that forms are sent to and that answers with a page leads to the page when it is opened."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from networks.domain.state import CreateNetwork
from networks.grid import cell_name
from tests.networks.changes import decide
from tests.networks.conftest import Scene

pytestmark = pytest.mark.django_db
A = "6f1c3a1e-0000-4000-8000-00000000000a"


def test_what_was_refused_leaves_links_that_work(scene: Scene, as_operator: Client) -> None:
    """Found in review: searching a server below a refusal was answered by an empty page."""
    decide(CreateNetwork(A, "A"))
    there = reverse("networks:assign", args=[A])
    chosen = {cell_name(scene.server1.pk, A): "adapter:eth7", "server": scene.server1.pk}
    refused = as_operator.post(there, chosen)
    assert refused.status_code == 422 and 'action="#assignments"' in refused.text
    answer = as_operator.get(there, {"server": "server2", "which": "all"})
    assert answer["Location"] == reverse("networks:configure", args=[A]) + "?server=server2&which=all"


@pytest.mark.parametrize("name", ["interface_membership", "add_address"])
def test_the_forms_of_a_container_lead_to_its_page(scene: Scene, as_operator: Client, name: str) -> None:
    container = scene.server1.containers.get(ctid="102")
    answer = as_operator.get(reverse(f"networks:{name}", args=[container.pk, "eth0"]))
    assert answer["Location"] == reverse("networks:container_network", args=[container.pk])
