from __future__ import annotations

from pathlib import Path

from lab.definition import ServerDefinition


def create_containers(seed: Path, server: ServerDefinition) -> None:
    pass
