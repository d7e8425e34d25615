"""`python -m proof scheme`, `python -m proof visibility N [SEED]`: root; each boots the lab, and downs it."""

from __future__ import annotations

import signal
import sys

from lab.errors import LabError
from proof import random_topologies, scheme
from proof.panel import ProofFailed


def main(arguments: list[str]) -> int:
    """Run one of the proofs."""
    # As Ctrl-C: panel and lab are ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        match arguments:
            case ["scheme"]:
                return scheme.main()
            case ["visibility", count, *seed] if all(word.isdecimal() for word in (count, *seed)):
                return random_topologies.main(int(count), int(seed[0]) if seed else None)
    except (LabError, ProofFailed) as error:
        print(error, file=sys.stderr)
        return 1
    print(__doc__, file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
