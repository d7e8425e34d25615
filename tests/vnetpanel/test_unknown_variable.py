"""A misspelt variable is named by `manage.py check`."""

from __future__ import annotations

import pytest

from vnetpanel.checks import known_variables


def test_it_warns_of_a_variable_that_nothing_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNETPANEL_DEBGU", "1")
    assert ["VNETPANEL_DEBGU" in warning.msg for warning in known_variables(None)] == [True]


def test_it_knows_the_variables_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNETPANEL_HTTPS", "1")
    monkeypatch.setenv("VNETPANEL_KEYS_FILE", "/etc/vnetpanel/keys")
    assert known_variables(None) == []
