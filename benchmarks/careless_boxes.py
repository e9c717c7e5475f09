"""Which boxes are looked at again, and how far they move (``careless``, ``most_moved``).

python benchmarks/careless_boxes.py --data ../shared/data/coco-dev
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from picosam2 import Predictor, PredictorConfig
from picosam2.data.source import open_source
from picosam2.evaluation.protocols import Case, jittered_box
from picosam2.evaluation.run import choose_objects
from picosam2.masks import mask_iou
from picosam2.predictor.boxes import MARKED
from picosam2.table import Table

JITTERS = (0.0, 0.1, 0.2, 0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--careless", type=float, nargs="+", default=[0.75, 0.8, 0.85])
    parser.add_argument("--most-moved", type=float, nargs="+", default=[0.1, 0.15, math.inf])
    arguments = parser.parse_args()
    base = Predictor.from_pretrained(threads=1)
    choices = [(0.0, 0.0), *product(arguments.careless, arguments.most_moved)]
    predictors = {}
    for careless, most in choices:
        config = PredictorConfig(marked_box=replace(MARKED, careless=careless, most_moved=most))
        predictors[careless, most] = Predictor(base.runtime, config, base.scores)
    found = defaultdict(list)
    groups = choose_objects(open_source(str(arguments.data)), arguments.limit, 0)
    for photograph, group in tqdm(groups):
        image = photograph.load()
        for predictor in predictors.values():
            predictor.set_image(image)
        for annotation in group:
            if min(annotation.bbox[2:]) <= 0:
                continue
            mask = photograph.mask(annotation)
            case = Case(image, mask, annotation, photograph.image_id)
            for jitter, (choice, predictor) in product(JITTERS, predictors.items()):
                box = jittered_box(case, jitter)
                masks, _, _ = predictor.predict(box=box, multimask_output=False)
                figures = mask_iou(masks[0], mask), predictor.forward_passes - 1
                found[choice, jitter].append(figures)
    header = ["overlap below", "sides move at most"]
    header += [f"off by {100 * jitter:g} %" for jitter in JITTERS]
    header += [f"{100 * jitter:g} %: again" for jitter in JITTERS]
    rows = []
    for choice in choices:
        ious, again = zip(*(np.mean(found[choice, j], axis=0) for j in JITTERS), strict=True)
        rows.append([*(f"{value:g}" for value in choice)])
        rows[-1] += [f"{100 * value:.1f}" for value in ious]
        rows[-1] += [f"{100 * value:.0f} %" for value in again]
    print(Table("Careless boxes", header, rows).markdown())


if __name__ == "__main__":
    main()
