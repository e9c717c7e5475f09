"""Supervised against distilled at equal samples seen: train, quantise, measure, write a table.

python scripts/distillation_table.py --data ../shared/data --labels labels --out runs/table

``labels`` holds ``coco-train``, ``coco-boxes`` and the photographs of SAM 2's grids of clicks
(``picosam2 teacher join``).
Every run resumes after a stop, and what is measured is not measured again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from experiments import (
    HUMAN,
    LABELLED,
    OURS,
    PROTOCOLS,
    TAUGHT,
    Data,
    conditions,
    digests,
    measure,
    run_all,
    short_config,
)
from numpy.typing import NDArray

from picosam2.model import SmallConfig
from picosam2.output import write_json
from picosam2.table import Table
from picosam2.training.config import TrainConfig
from picosam2.training.loop import RunOptions, train
from picosam2.training.start import Start
from picosam2.training.world import World

SPLITS = ("coco-val", "lvis-val")
RESULTS = Path(__file__).parent.parent / "docs" / "results" / "distillation.json"


@dataclass(frozen=True)
class Row:
    """One way of training.

    Args:
        title: in the table.
        loss: its name.
        shares: of the folders.
        taught_alone: whether objects that only the teacher outlined are drawn.
        beside: the row it is compared with.
        family: of the network; ``paper`` begins with random weights, ``small`` with ImageNet's.
    """

    title: str
    loss: str
    shares: dict[str, float]
    taught_alone: bool = True
    beside: str = ""
    family: str = "paper"


ROWS = {
    # Human masks only: of coco-boxes there are none.
    "supervised": Row("supervised", "supervised", {"coco-train": 0.78} | HUMAN, taught_alone=False),
    "paper": Row("distilled, the paper's loss", "paper", LABELLED | HUMAN, beside="supervised"),
    "soft": Row("distilled, ours (`soft`)", "soft", LABELLED | HUMAN, beside="supervised"),
    "small-supervised": Row(
        "`small`, supervised",
        "supervised",
        {"coco-train": 0.77} | OURS,
        taught_alone=False,
        family="small",
    ),
    "small-soft": Row(
        "`small`, distilled (`soft`)",
        "soft",
        TAUGHT | OURS,
        beside="small-supervised",
        family="small",
    ),
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
    untrained = [run for run in runs if not result(*run, SPLITS[0], arguments).is_file()]
    data = Data.load(arguments.data, arguments.labels, seed=0) if untrained else None
    jobs = []
    for run in runs:
        missing = [split for split in SPLITS if not result(*run, split, arguments).is_file()]
        steps = [partial(measure_one, *run, split, arguments) for split in missing]
        if run in untrained:
            assert data is not None
            steps.insert(0, partial(train_one, *run, data, arguments))
        jobs.append(steps)
    run_all(jobs, arguments.workers)
    results = [
        json.loads(result(*run, split, arguments).read_bytes()) for split in SPLITS for run in runs
    ]
    # What was measured before and not again stays in the table.
    earlier = json.loads(RESULTS.read_bytes())
    measured = {identity(r) for r in results}
    results += [r for r in earlier["results"] if identity(r) not in measured]
    if len({r["config"]["samples"] for r in results}) > 1:
        raise SystemExit("the table compares equal samples: give --samples as before")
    facts = {"data": earlier["data"] | digests(arguments.data, arguments.labels, SPLITS)}
    write_json(arguments.out / "distillation.json", facts | {"results": results})
    for split in SPLITS:
        print(table(results, split).markdown())


def identity(r: dict[str, Any]) -> tuple[str, int, str, int]:
    """What tells one result from another."""
    return (r["row"], r["seed"], r["split"], r["config"]["samples"])


def result(name: str, seed: int, split: str, arguments: argparse.Namespace) -> Path:
    """Where the figures of a run are."""
    return Path(arguments.out / f"{name}-{seed}" / f"{split}.json")


def configure(name: str, seed: int, arguments: argparse.Namespace) -> TrainConfig:
    """The configuration of a run."""
    row = ROWS[name]
    if row.family == "paper":
        return short_config(arguments.samples, seed, 1e-2, row.loss)
    config = short_config(arguments.samples, seed, 3e-3, row.loss, SmallConfig())
    return dataclasses.replace(config, sizes=((96, 1.0),))


def train_one(name: str, seed: int, data: Data, arguments: argparse.Namespace) -> None:
    """Train one row with one seed in this process, or go on with it."""
    row = ROWS[name]
    objects = data.mixed(row.shares, row.taught_alone)
    start = Start("random" if row.family == "paper" else "imagenet")
    options = RunOptions(result(name, seed, SPLITS[0], arguments).parent, start)
    train(World(), objects, configure(name, seed, arguments), options)


def measure_one(name: str, seed: int, split: str, arguments: argparse.Namespace) -> None:
    """Measure a trained run."""
    out = result(name, seed, split, arguments)
    points = measure(out.parent, arguments.data, split, ("fp32", "int8"))
    config = configure(name, seed, arguments).to_dict()
    record = {"row": name, "seed": seed, "split": split, "config": config, **conditions()}
    write_json(out, {**record, **points})


def table(results: list[dict[str, Any]], split: str) -> Table:
    """Each row of ``ROWS`` in both precisions, then what distilling adds, seed by seed, in fp32.

    Args:
        results: what the files of the runs hold.
        split: the data that they were measured on.
    """
    results = [r for r in results if r["split"] == split]
    header = ["", "", "seeds", *(f"`{p}`" for p in PROTOCOLS)]
    rows = []
    for name, row in ROWS.items():
        for precision in ("fp32", "int8"):
            if by_seed := figures(results, name, precision):
                cells = mean_and_span(list(by_seed.values()), "")
                rows.append([row.title, precision.upper(), str(len(by_seed)), *cells])
    for name, row in ROWS.items():
        base = figures(results, row.beside, "fp32")
        distilled = figures(results, name, "fp32")
        if gains := [distilled[seed] - base[seed] for seed in distilled if seed in base]:
            title = f"{row.title}, minus supervised"
            rows.append([title, "FP32", str(len(gains)), *mean_and_span(gains, "+")])
    return Table(f"{split}: mIoU (range over the seeds) / mAP, in points", header, rows)


def figures(
    results: list[dict[str, Any]], name: str, precision: str
) -> dict[int, NDArray[np.float64]]:
    """MIoU and mAP of a row's runs, in points, by seed: each protocols × 2."""
    kinds = ("miou", "map")
    return {
        r["seed"]: 100 * np.array([[r[precision][p][kind] for kind in kinds] for p in PROTOCOLS])
        for r in results
        if r["row"] == name
    }


def mean_and_span(by_seed: list[NDArray[np.float64]], sign: str) -> list[str]:
    """MIoU (smallest to largest) / mAP of each protocol; ``sign`` is "+" for differences."""
    cells = []
    for miou, average_precision in np.stack(by_seed).transpose(1, 2, 0):
        values = (miou.mean(), miou.min(), miou.max(), average_precision.mean())
        # Adding 0 makes 0.0 of −0.0.
        mean, low, high, second = (f"{round(value, 1) + 0:{sign}.1f}" for value in values)
        cells.append(f"{mean} ({low} to {high}) / {second}")
    return cells


if __name__ == "__main__":
    main()
