"""Supervised against distilled at equal samples seen: train, quantise, measure, write a table.

python scripts/distillation_table.py --data ../shared/data --labels labels --out runs/table

``labels`` holds ``coco-train`` and ``coco-boxes`` labelled by SAM 2 (``picosam2 teacher join``).
Every run resumes after a stop, and what is measured is not measured again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fit_scores import fit_scores

from picosam2 import Predictor
from picosam2.data.source import open_source
from picosam2.evaluation.run import evaluate
from picosam2.export.run import export_model
from picosam2.output import write_json
from picosam2.runtime.engines import open_runtime
from picosam2.scores import read_models
from picosam2.table import Table
from picosam2.training.config import TrainConfig
from picosam2.training.run import run_training

PROTOCOLS = ["crop96", "click", "box"]
OTHERS = {"duts-train": 0.10, "clothing-train": 0.06, "cats-train": 0.04, "balloon-train": 0.02}


@dataclass(frozen=True)
class Row:
    """One way of training.

    Args:
        title: in the table.
        loss: its name.
        labelled: shares of the folders that the teacher labelled.
        human: shares of the folders of human masks alone.
    """

    title: str
    loss: str
    labelled: dict[str, float]
    human: dict[str, float]


ROWS = {
    # Human masks only: of coco-boxes there are none.
    "supervised": Row("supervised", "supervised", {}, {"coco-train": 0.78, **OTHERS}),
    "paper": Row(
        "distilled, the paper's loss", "paper", {"coco-train": 0.54, "coco-boxes": 0.24}, OTHERS
    ),
    "soft": Row(
        "distilled, ours (`soft`)", "soft", {"coco-train": 0.54, "coco-boxes": 0.24}, OTHERS
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
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for seed in range(arguments.seeds):
        for name in arguments.rows.split(","):
            run = arguments.out / f"{name}-{seed}"
            train(ROWS[name], run, seed, arguments)
            results.append(measure(run, name, seed, arguments.data))
            write_json(
                arguments.out / "distillation.json",
                {"samples": arguments.samples, "results": results},
            )
            print(table(results).markdown())


def train(row: Row, run: Path, seed: int, arguments: argparse.Namespace) -> None:
    """Train one row with one seed, or go on with it."""
    config = TrainConfig(
        samples=arguments.samples,
        warmup_samples=arguments.samples // 10,
        # As long an average as the last tenth of the run.
        ema_decay=0.995,
        loss=row.loss,
        seed=seed,
    )
    data = [f"{arguments.labels / name}:{share}" for name, share in row.labelled.items()]
    data += [f"{arguments.data / name}:{share}" for name, share in row.human.items()]
    run_training(tuple(data), run, config, None, None, None)


def measure(run: Path, name: str, seed: int, data: Path) -> dict[str, Any]:
    """The run's figures on coco-val, fp32 and INT8; those that are there are read."""
    path = run / "coco-val.json"
    if path.is_file():
        return dict(json.loads(path.read_bytes()))
    weights = run / "weights.safetensors"
    exported = run / "onnx-int8"
    if not exported.is_dir():
        calibration = open_source(data / "coco-train")
        export_model("onnx-int8", weights, exported, calibration, None, 1.0, seed=0)
    result: dict[str, Any] = {"row": name, "seed": seed}
    for precision, model in (("fp32", weights), ("int8", exported / "picosam2-int8.onnx")):
        runtime = open_runtime(model, None, 0)
        # What tells good masks from bad ones depends on the weights.
        scores = read_models(fit_scores(runtime, open_source(data / "coco-dev")))
        report = evaluate(
            open_source(data / "coco-val"), PROTOCOLS, Predictor(runtime, scores=scores)
        )
        result[precision] = {
            protocol: {key: report["protocols"][protocol][key] for key in ("miou", "map")}
            for protocol in PROTOCOLS
        }
    write_json(path, result)
    return result


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
