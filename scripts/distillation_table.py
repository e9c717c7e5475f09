"""Supervised against distilled at equal samples seen: train, quantise, measure, write a table.

python scripts/distillation_table.py --data ../shared/data --labels labels --out runs/table

``labels`` holds ``coco-train`` and ``coco-boxes`` labelled by SAM 2 (``picosam2 teacher join``).
Every run resumes after a stop, and what is measured is not measured again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from experiments import HUMAN, LABELLED, PROTOCOLS, Data, measure, run_all, short_config

from picosam2.output import write_json
from picosam2.record import git_commit
from picosam2.table import Table
from picosam2.training.config import TrainConfig
from picosam2.training.loop import RunOptions, train
from picosam2.training.world import World


@dataclass(frozen=True)
class Row:
    """One way of training.

    Args:
        title: in the table.
        loss: its name.
        labelled: shares of the folders that the teacher labelled.
        taught_alone: whether objects that only the teacher outlined are drawn.
    """

    title: str
    loss: str
    labelled: dict[str, float]
    taught_alone: bool = True


ROWS = {
    # Human masks only: of coco-boxes there are none.
    "supervised": Row("supervised", "supervised", {"coco-train": 0.78}, taught_alone=False),
    "paper": Row("distilled, the paper's loss", "paper", LABELLED),
    "soft": Row("distilled, ours (`soft`)", "soft", LABELLED),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    names = arguments.rows.split(",")
    # A seed of all rows before the next: what a stop leaves compares all of them.
    runs = [(name, seed) for seed in range(arguments.seeds) for name in names]
    missing = [run for run in runs if not result(*run, arguments).is_file()]
    if missing:
        data = Data.load(arguments.data, arguments.labels, seed=0)
        steps = (
            [partial(train_one, *run, data, arguments), partial(measure_one, *run, arguments)]
            for run in missing
        )
        run_all(steps, arguments.workers)
    results = [json.loads(result(*run, arguments).read_bytes()) for run in runs]
    write_json(arguments.out / "distillation.json", {"results": results})
    print(table(results).markdown())


def result(name: str, seed: int, arguments: argparse.Namespace) -> Path:
    """Where the figures of a run are."""
    return Path(arguments.out / f"{name}-{seed}" / "coco-val.json")


def configure(name: str, seed: int, arguments: argparse.Namespace) -> TrainConfig:
    """The configuration of a run."""
    return short_config(arguments.samples, seed, 1e-2, ROWS[name].loss)


def train_one(name: str, seed: int, data: Data, arguments: argparse.Namespace) -> None:
    """Train one row with one seed in this process, or go on with it."""
    row = ROWS[name]
    objects = data.mixed({**row.labelled, **HUMAN}, row.taught_alone)
    options = RunOptions(result(name, seed, arguments).parent)
    train(World(), objects, configure(name, seed, arguments), options)


def measure_one(name: str, seed: int, arguments: argparse.Namespace) -> None:
    """Measure a trained run."""
    out = result(name, seed, arguments)
    figures = measure(out.parent, arguments.data, "coco-val", ("fp32", "int8"))
    config = configure(name, seed, arguments).to_dict()
    record = {"row": name, "seed": seed, "config": config, "commit": git_commit()}
    write_json(out, {**record, **figures})


def table(results: list[dict[str, Any]]) -> Table:
    """Means over seeds, and the range where there are several."""
    rows = []
    for name, row in ROWS.items():
        found = [result for result in results if result["row"] == name]
        for precision in ("fp32", "int8"):
            if found:
                cells = [text([r[precision][p] for r in found]) for p in PROTOCOLS]
                rows.append([row.title, precision.upper(), str(len(found)), *cells])
    return Table("Distillation", ["", "", "seeds", *(f"`{p}`" for p in PROTOCOLS)], rows)


def text(figures: list[dict[str, float]]) -> str:
    """MIoU (smallest–largest over seeds) / mAP, in points."""
    miou = 100 * np.array([f["miou"] for f in figures])
    span = f" ({miou.min():.1f}–{miou.max():.1f})" if len(miou) > 1 else ""
    return f"{miou.mean():.1f}{span} / {100 * np.mean([f['map'] for f in figures]):.1f}"


if __name__ == "__main__":
    main()
