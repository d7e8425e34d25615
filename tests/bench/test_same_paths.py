"""The benchmark takes the ways that the pages take; what only it could do would prove nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import panel

PAGES = [
    path
    for app in ("nodes", "networks")
    for part in ("views", "admin", "forms")
    for path in Path(app, part).rglob("*.py")
]
ALLOWED = ("services", "models", "choices", "domain.state", "domain.waves")
"""Parts of `nodes` and `networks` that pages import as well; never the engine, a task, or SSH."""


def names_in(path: Path) -> set[str]:
    """Every name and attribute that a module uses."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            found.add(node.id)
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


def test_every_service_that_it_calls_is_called_by_a_page() -> None:
    called = set().union(*map(names_in, PAGES))
    assert {service.__name__ for service in panel.USED} <= called


MEASURED = ("panel", "scenario", "slow", "crowd")
"""Modules that have the panel work. `pages` fills a database and asks for pages; `script`, `cold` and
`contenders` say that they measure a part alone, or a rival."""


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of everything imported from the panel's packages; "" for a module as a whole."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found = [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        else:
            continue
        yield from ((module, name) for module, name in found if module.split(".")[0] in ("nodes", "networks"))


@pytest.mark.parametrize("name", MEASURED)
def test_it_does_the_panels_work_through_those_services_only(name: str) -> None:
    used = {service.__name__ for service in panel.USED} | {"Secrets", "Conflict"}
    wrong = []
    for module, imported in imports_of(Path("bench", f"{name}.py")):
        part = module.partition(".")[2]
        if not part.startswith(ALLOWED) or (".services" in module and imported not in used):
            wrong.append((module, imported))
    assert not wrong


def test_the_worker_is_started_as_the_panel_starts_it() -> None:
    assert "start_worker" in names_in(Path(panel.__file__))
    assert "start_worker" in names_in(Path("vnetpanel/launch.py"))
