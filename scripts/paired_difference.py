"""Two segmenters of a run on the same objects: mean difference of the IoU, with its interval.

python scripts/paired_difference.py runs/report/coco-val small paper
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from picosam2.evaluation.metrics import mean_interval


def main() -> None:
    folder, first, second = sys.argv[1:]
    run = json.loads((Path(folder) / "run.json").read_bytes())
    a, b = (run["segmenters"][name]["objects"] for name in (first, second))
    for protocol in (name for name in a if name in b):
        difference = np.subtract(a[protocol]["iou"], b[protocol]["iou"]) * 100
        low, high = mean_interval(difference, run["seed"])
        print(f"{protocol}: {difference.mean():+.2f} points ({low:+.2f} to {high:+.2f})")


if __name__ == "__main__":
    main()
