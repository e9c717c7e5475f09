"""Give every reader broken input, and write down what it took.

Usage: python fuzz/run.py [--inputs N] [--seed N] [--json FILE] [READER ...]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"


def fuzz(name: str, count: int, seed: int) -> dict[str, Any]:
    """The figures of one reader; ``failure`` where an input failed, which then is in the corpus."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "input"
        arguments = [name, str(count), str(seed), str(folder)]
        environment = os.environ | {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, str(HERE / "worker.py"), *arguments],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            return dict(json.loads(done.stdout.splitlines()[-1]))
        return {"failure": done.stderr[-3000:], "kept": str(_keep(name, folder))}


def _keep(name: str, folder: Path) -> Path:
    """Put the input that failed into the corpus."""
    sys.path.insert(0, str(HERE))
    from readers import READERS

    given = folder / READERS[name].file
    (CORPUS / name).mkdir(parents=True, exist_ok=True)
    number = len(list((CORPUS / name).iterdir())) + 1
    return Path(shutil.copy(given, CORPUS / name / f"{number:03d}"))


def main() -> None:
    """All readers, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*")
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sys.path.insert(0, str(HERE))
    from readers import READERS

    found = {}
    for name in arguments.readers or READERS:
        found[name] = fuzz(name, arguments.inputs, arguments.seed)
        print(name, json.dumps(found[name]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    if any("failure" in figures for figures in found.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
