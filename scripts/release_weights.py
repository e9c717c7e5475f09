"""Put a run's weights into the package: exports, measurements, manifest.

Refuses weights whose mean mIoU over crop96, click and box on coco-dev is below that of the weights
they would replace; of a correcting network the mean over those after 2, 3, 5 and 8 clicks.

    python scripts/release_weights.py --run runs/x --data ../shared/data
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from fit_scores import fit_scores

from picosam2 import Predictor
from picosam2.checkpoint import load_weights, save_weights
from picosam2.data.source import Source, open_source
from picosam2.evaluation.run import evaluate
from picosam2.export.run import export_model
from picosam2.files import replacing
from picosam2.output import write_json
from picosam2.runtime.engines import open_runtime
from picosam2.training.run import RECORD_FILE
from picosam2.weights import (
    CORRECTING_MODEL,
    DEFAULT_MODEL,
    FAMILIES,
    FOLDER,
    FP32,
    INT8,
    MANIFEST,
    WEIGHTS,
    read_manifest,
)

SPLITS = ("coco-dev", "coco-val", "lvis-val")
PROTOCOLS = ["crop96", "paper96", "click", "box"]
# Of correcting networks: objects of coco-dev that are clicked on, and what is asked; those of
# coco-val are in docs/results/clicks.json.
CLICKED, INTERACTIVE = 150, ["noc", "mask_fix"]
CLICKS = (2, 3, 5, 8)


def standing(report: dict[str, Any]) -> float:
    """The figure that weights are chosen by, INT8 on coco-dev."""
    if "noc" in report["protocols"]:
        curve = report["protocols"]["noc"]["clicks"]["curve"]
        return sum(curve[count - 1] for count in CLICKS) / len(CLICKS)
    return sum(report["protocols"][name]["miou"] for name in ("crop96", "click", "box")) / 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    run = json.loads((arguments.run / RECORD_FILE).read_text())
    network = load_weights(arguments.run / "weights.safetensors")
    family, corrects = network.config.family, network.config.takes_prior
    earlier = runs_before(run)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        calibration = open_source(arguments.data / "coco-train")
        development = open_source(arguments.data / "coco-dev")
        # Twice: the scores are fitted to the INT8 model, and travel with the weights.
        save_weights(folder / WEIGHTS, network)
        export("onnx-int8", folder, calibration)
        if not corrects:
            scores = fit_scores(open_runtime(folder / INT8, None, 1), development)
            save_weights(folder / WEIGHTS, network, scores)
            export("onnx-int8", folder, calibration)
        export("onnx", folder, calibration)
        metrics: dict[str, Any] = {}
        for split in SPLITS[:1] if corrects else SPLITS:
            metrics[split] = {}
            for precision, file in (("int8", INT8), ("fp32", FP32)):
                print(f"{split}, {precision}")
                data = open_source(arguments.data / split)
                report = measure(folder / file, corrects, data)
                metrics[split][precision] = {k: v for k, v in report.items() if k != "objects"}
                if split == "coco-dev" and precision == "int8":
                    refuse_worse(family, report, data, corrects)
        # The wheel has fp32 ONNX of the default network alone.
        if family != DEFAULT_MODEL:
            for path in (folder / FP32, (folder / FP32).with_suffix(".json")):
                path.unlink()
        shipped = FOLDER / family
        for path in folder.iterdir():
            with replacing(shipped / path.name) as temporary_file:
                shutil.copy(path, temporary_file)
    with (arguments.run / "log.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    write_json(
        shipped / MANIFEST,
        {
            "files": {
                path.name: {
                    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                    "bytes": path.stat().st_size,
                }
                for path in sorted(shipped.iterdir())
                if path.suffix != ".json"
            },
            "samples_seen": int(last["samples"]) + sum(r["config"]["samples"] for r in earlier),
            "run": run,
            "earlier_runs": earlier,
            "metrics": metrics,
        },
    )
    docs = FOLDER.parents[2] / "docs" / "runs" / arguments.run.name
    docs.mkdir(parents=True, exist_ok=True)
    for name in ("log.csv", "validation.jsonl"):
        if (arguments.run / name).is_file():
            shutil.copy(arguments.run / name, docs / name)


def measure(model: str | Path, corrects: bool, data: Source) -> dict[str, Any]:
    """The figures of a model on a split."""
    if corrects:
        predictor = Predictor.from_pretrained(correcting=model)
        return evaluate(data, INTERACTIVE, predictor, CLICKED)
    return evaluate(data, PROTOCOLS, Predictor(open_runtime(model, None, 0)))


def export(target: str, folder: Path, calibration: Source) -> None:
    """Write a target's model and sidecar into the folder of the weights."""
    out = folder / target
    export_model(target, folder / WEIGHTS, out, calibration, None, 1.0, seed=0)
    for path in out.iterdir():
        path.replace(folder / path.name)
    out.rmdir()


def runs_before(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of the runs that the weights a run began with came from, the first one first."""
    if run["init"] in ("random", "imagenet"):
        return []
    for family in (*FAMILIES, CORRECTING_MODEL):
        if not (FOLDER / family / MANIFEST).is_file():
            continue
        manifest = read_manifest(family)
        runs = [*manifest["earlier_runs"], manifest["run"]]
        if manifest["files"][WEIGHTS]["sha256"] == run["init_sha256"]:
            return runs
        # Weights that shipped before these.
        for count, later in enumerate(runs):
            if later["init_sha256"] == run["init_sha256"]:
                return runs[:count]
    # Weights of a run that has not shipped, or of its mean with others: its record lies beside.
    record = Path(run["init"]).with_name(RECORD_FILE)
    if Path(run["init"]).is_file() and record.is_file():
        before = json.loads(record.read_text())
        return [*runs_before(before), before]
    raise SystemExit("the run did not begin with shipped weights: its history is not known")


def refuse_worse(family: str, report: dict[str, Any], data: Source, corrects: bool) -> None:
    """Stop where the shipped weights of the family, asked in the same way, are better."""
    if not (FOLDER / family / MANIFEST).is_file():
        return
    print("the shipped weights")
    shipped = standing(measure(family, corrects, data))
    print(f"coco-dev: {standing(report):.4f}, the shipped weights' {shipped:.4f}")
    if standing(report) < shipped:
        raise SystemExit("worse on coco-dev: the shipped weights are kept")


if __name__ == "__main__":
    main()
