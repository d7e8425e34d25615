from __future__ import annotations

import pytest

from vnetpanel.numbers import number, numbers


@pytest.mark.parametrize("text", ["", "-1", "1.0", " 7", "٣", "x", "9" * 19])
def test_it_passes_over_what_names_no_row(text: str) -> None:
    assert number(text) is None
    assert numbers(["1", text, "2"]) == [1, 2]
