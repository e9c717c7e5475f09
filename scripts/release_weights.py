"""Put a run's weights into the package: exports, measurements, manifest.

Refuses weights whose mean mIoU over crop96, click and box on coco-dev is below that of the weights
they would replace.

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
from picosam2.data.source import Source, open_source
from picosam2.evaluation.run import evaluate
from picosam2.export.run import export_model
from picosam2.files import replacing
from picosam2.output import write_json
from picosam2.runtime.engines import open_runtime
from picosam2.scores import read_models
from picosam2.weights import MODELS, SCORES_FILE, model_path

SPLITS = ("coco-dev", "coco-val", "lvis-val")
TARGETS = ("onnx", "onnx-int8")
PROTOCOLS = ["crop96", "paper96", "click", "box"]
FOLDER = model_path("safetensors").parent
MANIFEST = FOLDER / "manifest.json"


def standing(report: dict[str, Any]) -> float:
    """The figure that weights are chosen by: mean INT8 mIoU of three protocols on coco-dev."""
    return sum(report["protocols"][name]["miou"] for name in ("crop96", "click", "box")) / 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    run = json.loads((arguments.run / "run.json").read_text())
    earlier = runs_before(run["init_sha256"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = {name: folder / file for name, file in MODELS.items()}
        shutil.copy(arguments.run / "weights.safetensors", files["safetensors"])
        calibration = open_source(arguments.data / "coco-train")
        for target in TARGETS:
            exported = folder / target
            export_model(target, files["safetensors"], exported, calibration, None, 1.0, seed=0)
            for path in exported.iterdir():
                path.replace(folder / path.name)
            exported.rmdir()
        development = open_source(arguments.data / "coco-dev")
        scores = fit_scores(open_runtime(files["int8"], None, 1), development)
        write_json(folder / SCORES_FILE.name, scores)
        models = read_models(scores)
        metrics: dict[str, Any] = {}
        for split in SPLITS:
            metrics[split] = {}
            for precision in ("int8", "fp32"):
                print(f"{split}, {precision}")
                predictor = Predictor(open_runtime(files[precision], None, 0), scores=models)
                data = open_source(arguments.data / split)
                report = evaluate(data, PROTOCOLS, predictor)
                metrics[split][precision] = {k: v for k, v in report.items() if k != "objects"}
                if split == "coco-dev" and precision == "int8":
                    refuse_worse(report, data)
        for path in folder.iterdir():
            with replacing(FOLDER / path.name) as temporary_file:
                shutil.copy(path, temporary_file)
    with (arguments.run / "log.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    write_json(
        MANIFEST,
        {
            "files": {
                file: {
                    "sha256": hashlib.sha256((FOLDER / file).read_bytes()).hexdigest(),
                    "bytes": (FOLDER / file).stat().st_size,
                }
                for file in MODELS.values()
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


def runs_before(init_sha256: str | None) -> list[dict[str, Any]]:
    """The records of the runs that the weights a run began with came from, the first one first."""
    if init_sha256 is None:
        return []
    manifest = json.loads(MANIFEST.read_text())
    if manifest["files"][MODELS["safetensors"]]["sha256"] != init_sha256:
        raise SystemExit("the run did not begin with the shipped weights: its history is not known")
    return [*manifest.get("earlier_runs", []), manifest["run"]]


def refuse_worse(report: dict[str, Any], data: Source) -> None:
    """Stop where the shipped weights, asked in the same way, are better."""
    if not MANIFEST.is_file():
        return
    print("the shipped weights")
    shipped = standing(evaluate(data, PROTOCOLS, Predictor.from_pretrained("int8")))
    print(f"coco-dev: {standing(report):.4f}, the shipped weights' {shipped:.4f}")
    if standing(report) < shipped:
        raise SystemExit("worse on coco-dev: the shipped weights are kept")


if __name__ == "__main__":
    main()
