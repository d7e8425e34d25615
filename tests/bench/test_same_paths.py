"""The benchmark takes the ways that the pages take; what only it could do would prove nothing."""

from __future__ import annotations

import ast
from pathlib import Path

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


def test_it_does_the_panels_work_through_those_services_only() -> None:
    tree = ast.parse(Path(panel.__file__).read_text())
    wrong = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        app, _, part = node.module.partition(".")
        if app in ("nodes", "networks") and not part.startswith(ALLOWED):
            wrong.append(node.module)
        if ".services" in node.module:
            used = {service.__name__ for service in panel.USED} | {"Secrets"}
            wrong += [alias.name for alias in node.names if alias.name not in used]
    assert not wrong


def test_the_worker_is_started_as_the_panel_starts_it() -> None:
    assert "start_worker" in names_in(Path(panel.__file__))
    assert "start_worker" in names_in(Path("vnetpanel/launch.py"))
