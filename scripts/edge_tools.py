"""Install the tools of `picosam2 export` that need environments of their own (4 GB in all).

Packages are named as they are installed; run the same command again to go on after a stop:

    python scripts/edge_tools.py
"""

from __future__ import annotations

import sys

from picosam2.errors import InputError
from picosam2.export.environment import ISOLATED, prepare


def main() -> None:
    for requirements in sorted(ISOLATED.glob("*.txt")):
        try:
            print(f"{requirements.stem}: ready in {prepare(requirements.stem)}")
        except InputError as error:
            sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
