"""mIoU of the camera's path on photographs, region following off and on, beside the predictor's.

python benchmarks/camera_accuracy.py --data ../shared/data/coco-val
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from picosam2 import Predictor
from picosam2.camera.session import SessionConfig
from picosam2.camera.stills import CameraSegmenter
from picosam2.data.source import open_source
from picosam2.evaluation.answers import answer_photograph, score_answers
from picosam2.evaluation.run import choose_objects, report_results
from picosam2.evaluation.segmenter import PredictorSegmenter, Segmenter
from picosam2.output import write_json
from picosam2.weights import DEFAULT_MODEL

PROTOCOLS = ["click", "box"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default=DEFAULT_MODEL)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    predictor = Predictor.from_pretrained(arguments.weights, threads=1)
    segmenters: dict[str, Segmenter] = {
        "predictor": PredictorSegmenter(predictor),
        "camera, region stays": CameraSegmenter(predictor.runtime, SessionConfig(follow=False)),
        "camera, region follows": CameraSegmenter(predictor.runtime, SessionConfig()),
    }
    groups = choose_objects(open_source(arguments.data), arguments.limit, 0)
    results: dict[str, list[Any]] = {name: [] for name in segmenters}
    for photograph, group in tqdm(groups):
        for name, segmenter in segmenters.items():
            answers = answer_photograph(segmenter, photograph, group, PROTOCOLS, 0)
            results[name].append(score_answers(photograph, group, answers))
    report = {
        name: segmenters[name].description | report_results(groups, found, PROTOCOLS, 0)
        for name, found in results.items()
    }
    print("| | " + " | ".join(f"{p} | small | medium | large" for p in PROTOCOLS) + " |")
    print("|---|" + "---|" * 4 * len(PROTOCOLS))
    for name, figures in report.items():
        cells = []
        for protocol in PROTOCOLS:
            found = figures["protocols"][protocol]
            low, high = (100 * value for value in found["ci95"])
            cells.append(f"{100 * found['miou']:.1f} ({low:.1f}–{high:.1f})")
            sizes = found["by_size"].values()
            cells += [f"{100 * size['miou']:.1f}" if size["n"] else "–" for size in sizes]
        print(f"| {name} | {' | '.join(cells)} |")
    if arguments.json:
        write_json(arguments.json, report)


if __name__ == "__main__":
    main()
