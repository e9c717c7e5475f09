"""Draw a run's curve: loss and whole-object IoU of training against crops seen.

python scripts/plot_curve.py docs/runs/first docs/training-curve.svg
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
    run, out = Path(sys.argv[1]), Path(sys.argv[2])
    with (run / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
    kernel = np.ones(SMOOTH) / SMOOTH
    seen = np.convolve(columns["samples"], kernel, "valid") / 1000
    figure, left = plt.subplots(figsize=(8, 4))
    right = left.twinx()
    left.plot(seen, np.convolve(columns["loss"], kernel, "valid"), color="tab:red")
    right.plot(seen, np.convolve(columns["iou"], kernel, "valid"), color="tab:blue")
    validations = [json.loads(line) for line in (run / "validation.jsonl").read_text().splitlines()]
    batch = columns["samples"][0] / columns["step"][0]
    steps = np.array([v["step"] for v in validations]) * batch / 1000
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
