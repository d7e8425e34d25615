"""The cells of the manual's scheme: for every pair and layer, what the manual says and where."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
SCHEME = HERE / "scheme.toml"
Layer = Literal["layer2", "ip"]
LAYERS: tuple[Layer, ...] = ("layer2", "ip")


@dataclass(frozen=True, slots=True)
class Cell:
    """One ordered pair: `origin` and `target` are CTIDs, "server1" to "server3" or "other"."""

    origin: str
    target: str
    layer: Layer
    answer: str
    quote: str = ""
    derivation: str = ""


def read_cells(path: Path = SCHEME) -> dict[tuple[str, str, Layer], Cell]:
    """Every cell, both ways; ValueError if a pair is said twice or neither quoted nor derived."""
    found: dict[tuple[str, str, Layer], Cell] = {}
    for entry in tomllib.loads(path.read_text())["cells"]:
        pairs = (
            combinations(entry["among"], 2) if "among" in entry else product(entry["between"], entry["and"])
        )
        quote, derivation = entry.get("quote", ""), entry.get("derivation", "")
        if not quote and not derivation:
            raise ValueError(f"neither quoted nor derived: {entry}")
        for (a, b), layer in product(pairs, LAYERS):
            for origin, target in ((a, b), (b, a)):
                if (origin, target, layer) in found:
                    raise ValueError(f"{origin} and {target} are said twice")
                found[origin, target, layer] = Cell(origin, target, layer, entry[layer], quote, derivation)
    return found
