"""The manual's scheme, decided and applied, and answers that servers would give."""

from __future__ import annotations

import pytest

from networks.domain.visibility import Visibility, visibility
from tests.domain import built, scheme

NONCE = "ab" * 16


@pytest.fixture(scope="session")
def sight() -> Visibility:
    return visibility(built.DESIRED, built.DESIRED, scheme.inventory(built.LOOKS))
