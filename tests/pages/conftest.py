"""The scene of the networks' tests, and clients that are logged in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.networks.conftest import network_id, operator, scene, viewer

__all__ = ["network_id", "operator", "scene", "viewer"]


def logged_in(user: Any) -> Client:
    """A client with the user's session, which checks CSRF tokens as a browser meets them."""
    client = Client(raise_request_exception=True)
    client.force_login(user)
    return client


@pytest.fixture
def as_operator(operator: Any) -> Client:
    return logged_in(operator)


@pytest.fixture
def as_viewer(viewer: Any) -> Client:
    return logged_in(viewer)


@pytest.fixture
def as_admin(admin: Any) -> Client:
    return logged_in(admin)
