"""Draw the curve of runs, one after the other: loss and whole-object IoU against crops seen.

python scripts/plot_curve.py docs/runs/first docs/runs/second docs/training-curve.svg
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

SMOOTH = 5


def main() -> None:
    runs, out = [Path(name) for name in sys.argv[1:-1]], Path(sys.argv[-1])
    rows, validations = [], []
    for run in runs:
        # Each run began with the weights that the one before it ended with.
        before = float(rows[-1]["samples"]) if rows else 0.0
        with (run / "log.csv").open(newline="") as file:
            own = list(csv.DictReader(file))
        batch = float(own[0]["samples"]) / float(own[0]["step"])
        rows += [row | {"samples": before + float(row["samples"])} for row in own]
        for line in (run / "validation.jsonl").read_text().splitlines():
            figures = json.loads(line)
            validations.append(figures | {"samples": before + figures["step"] * batch})
    columns = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
    kernel = np.ones(SMOOTH) / SMOOTH
    seen = np.convolve(columns["samples"], kernel, "valid") / 1000
    figure, left = plt.subplots(figsize=(8, 4))
    right = left.twinx()
    left.plot(seen, np.convolve(columns["loss"], kernel, "valid"), color="tab:red")
    right.plot(seen, np.convolve(columns["iou"], kernel, "valid"), color="tab:blue")
    steps = np.array([v["samples"] for v in validations]) / 1000
    for name, marker in (("crop96_miou", "o"), ("box_miou", "s")):
        values = [v[name] for v in validations]
        right.plot(steps, values, marker, color="tab:green", label=f"coco-dev, {name[:-5]}")
    for index in np.flatnonzero(np.diff(columns["size"])):
        left.axvline(columns["samples"][index] / 1000, color="grey", linestyle=":")
    left.set_xlabel("crops seen, thousands (dotted: the crops' side changes, 48 → 64 → 96 pixels)")
    left.set_ylabel("loss (red)")
    right.set_ylabel("mIoU of training, whole object (blue)")
    right.legend(loc="center right")
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    main()
