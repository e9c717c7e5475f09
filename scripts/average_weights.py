"""The mean of two runs' weights (model soups, Wortsman et al. 2022, arXiv 2203.05482).

python scripts/average_weights.py small runs/small3/weights.safetensors --share .7 --out runs/mean

Both must have begun with the same weights, or one with the other's. BatchNorm's statistics are
averaged too. The record and the log of the second run go along.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch

from picosam2.checkpoint import load_weights, save_weights
from picosam2.output import write_json
from picosam2.training.loop import WEIGHTS_FILE
from picosam2.training.run import RECORD_FILE
from picosam2.training.start import Start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", help="a name of the package, or a file")
    parser.add_argument("second", type=Path, help="of a run")
    parser.add_argument("--share", type=float, required=True, help="of the second")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    start = Start(arguments.first)
    assert start.path
    first, second = load_weights(start.path), load_weights(arguments.second)
    with torch.no_grad():
        for name, value in second.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.lerp(first.state_dict()[name], value, arguments.share))
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_weights(arguments.out / WEIGHTS_FILE, second)
    run = json.loads((arguments.second.parent / RECORD_FILE).read_text())
    run["averaged"] = {
        "with": arguments.first,
        "with_sha256": start.digest,
        "share": arguments.share,
    }
    write_json(arguments.out / RECORD_FILE, run)
    for name in ("log.csv", "validation.jsonl"):
        if (arguments.second.parent / name).is_file():
            shutil.copy(arguments.second.parent / name, arguments.out / name)


if __name__ == "__main__":
    main()
