"""How sure the network must be where clicks change a given mask (``correction_sure``).

python benchmarks/merging.py --data ../shared/data/coco-dev --limit 300
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from picosam2 import Predictor, PredictorConfig
from picosam2.data.photograph import Photograph
from picosam2.data.schema import Annotation
from picosam2.data.source import open_source
from picosam2.evaluation.interactive import WORSE, damage_object
from picosam2.evaluation.run import choose_objects
from picosam2.evaluation.segmenter import Click, PredictorSegmenter
from picosam2.masks import mask_iou, next_click
from picosam2.table import Table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--clicks", type=int, default=3)
    parser.add_argument("--sure", type=float, nargs="+", default=[0, 1, 2, 2.5, 3, 3.5, 4])
    arguments = parser.parse_args()
    groups = choose_objects(open_source(str(arguments.data)), arguments.limit, 0)
    base = Predictor.from_pretrained(threads=1)
    rows = []
    for sure in arguments.sure:
        config = replace(PredictorConfig(), correction_sure=sure)
        predictor = Predictor(base.runtime, config, corrector=base.corrector)
        segmenter = PredictorSegmenter(predictor)
        curves = np.array(
            [
                curve
                for photograph, annotations in groups
                for curve in correct(segmenter, photograph, annotations, arguments.clicks)
            ]
        )
        worse = (np.diff(curves, axis=1) < -WORSE).mean(axis=0)
        means = [f"{100 * value:.1f}" for value in curves.mean(axis=0)]
        rows.append([f"{sure:g}", *means, f"{100 * worse.max():.1f} %"])
        print(rows[-1], flush=True)
    clicks = [f"{count} clicks" for count in range(1, arguments.clicks + 1)]
    header = ["`correction_sure`", "damaged", *clicks, "worse"]
    print(Table("Given masks, mIoU", header, rows).markdown())


def correct(
    segmenter: PredictorSegmenter, photograph: Photograph, annotations: list[Annotation], count: int
) -> Iterator[list[float]]:
    """IoU at first and after each click, of each object, clicked as in ``mask_fix``."""
    segmenter.set_image(photograph.load())
    for annotation in annotations:
        truth = photograph.mask(annotation)
        seed = [0, abs(photograph.record.image.image_id), abs(annotation.id)]
        mask = damage_object(truth, np.random.default_rng(seed))
        clicks: list[Click] = []
        ious = [mask_iou(mask, truth)]
        for _ in range(count):
            following = next_click(mask, truth)
            if following is not None:
                clicks.append(following)
                mask, _ = segmenter.correct(mask, clicks)
            ious.append(mask_iou(mask, truth))
        yield ious


if __name__ == "__main__":
    main()
