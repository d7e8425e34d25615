"""What one topology was and what was measured there, as a file: a seed that differed stays as a test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from networks.domain.inventory import Inventory
from networks.domain.state import Desired
from networks.domain.visibility import Visibility, visibility
from networks.measure.plan import MeasuredCell

FOLDER = Path(__file__).resolve().parent.parent / "var" / "proof"


@dataclass(frozen=True)
class Seen:
    """A state, the inventory as the model had it, and the cells that were compared."""

    seed: int
    desired: Desired
    inventory: Inventory
    cells: tuple[MeasuredCell, ...]

    def sight(self) -> Visibility:
        """Who sees whom there, as the model says today."""
        return visibility(self.desired, self.desired, self.inventory)

    def differing(self) -> list[str]:
        """Cells that the model of today gets wrong, one line each."""
        sight = self.sight()
        found = []
        for cell in self.cells:
            ask = sight.answer if cell.layer == "ip" else sight.layer2_answer
            answer = ask(cell.origin, cell.target)
            if "unknown" not in (answer, cell.measured) and answer != cell.measured:
                pair = f"{sight.name(cell.origin)} to {sight.name(cell.target)}"
                found.append(f"{pair}, {cell.layer}: predicted {answer}, measured {cell.measured}")
        return found


_SEEN: TypeAdapter[Seen] = TypeAdapter(Seen)


def write(seen: Seen, folder: Path = FOLDER) -> Path:
    """Keep it as seed-N.json."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"seed-{seen.seed}.json"
    path.write_bytes(_SEEN.dump_json(seen))
    return path


def read(path: Path) -> Seen:
    """What `write` wrote."""
    return _SEEN.validate_json(path.read_bytes())
