"""``python -m nerfit`` and the command ``nerfit``: the program that comes with the package."""

import os
import sys
from pathlib import Path


def main() -> None:
    program = Path(__file__).resolve().parent / "bin" / "nerfit"
    if not program.exists():
        sys.exit(f"nerfit: the program is not in {program.parent}; install the package again")
    os.execv(program, ["nerfit", *sys.argv[1:]])


if __name__ == "__main__":
    main()
