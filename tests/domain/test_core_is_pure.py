"""The core imports nothing that has effects, so that it can be tried a million times."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import networks.domain

ALLOWED = {
    "__future__", "collections", "dataclasses", "functools", "hashlib", "ipaddress", "itertools", "re",
    "typing", "unicodedata",
    "contextlib", "gc", "threading",  # the collector is kept away while much is built: no value depends on it
    "networks.domain", "networks.host.grammar", "nodes.facts", "nodes.boot", "nodes.routing",
    "nodes.visible_names",
}  # fmt: skip
FILES = sorted(Path(networks.domain.__path__[0]).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_imports_only_values(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert any(name == allowed or name.startswith(f"{allowed}.") for allowed in ALLOWED), name
