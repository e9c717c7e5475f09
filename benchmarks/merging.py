"""How sure the network must be where clicks change a given mask (``correction_sure``).

python benchmarks/merging.py --data ../shared/data/coco-dev --limit 300
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from picosam2 import Predictor, PredictorConfig
from picosam2.data.photograph import Photograph
from picosam2.data.schema import Annotation
from picosam2.data.source import open_source
from picosam2.evaluation.interactive import WORSE, correct, damage_object
from picosam2.evaluation.run import choose_objects
from picosam2.evaluation.segmenter import Mask, PredictorSegmenter
from picosam2.masks import mask_iou
from picosam2.table import Table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--clicks", type=int, default=3)
    parser.add_argument("--sure", type=float, nargs="+", default=[0, 1, 2, 2.5, 3, 3.5, 4])
    arguments = parser.parse_args()
    groups = choose_objects(open_source(str(arguments.data)), arguments.limit, 0)
    # The damage takes longer than the clicks.
    images = [(photograph.load(), list(damaged(photograph, group))) for photograph, group in groups]
    base = Predictor.from_pretrained(threads=1)
    rows = []
    for sure in arguments.sure:
        config = replace(PredictorConfig(), correction_sure=sure)
        segmenter = PredictorSegmenter(Predictor(base.runtime, config, corrector=base.corrector))
        found = []
        for image, cases in images:
            segmenter.set_image(image)
            for mask, truth in cases:
                answers = islice(correct(segmenter, mask, truth), arguments.clicks)
                ious = [mask_iou(one, truth) for one in (mask, *(answer for answer, _ in answers))]
                # Of what is right, further clicks change nothing.
                found.append(ious + ious[-1:] * (arguments.clicks + 1 - len(ious)))
        curves = np.array(found)
        worse = (np.diff(curves, axis=1) < -WORSE).mean(axis=0)
        means = [f"{100 * value:.1f}" for value in curves.mean(axis=0)]
        rows.append([f"{sure:g}", *means, f"{100 * worse.max():.1f} %"])
        print(rows[-1], flush=True)
    clicks = [f"{count} clicks" for count in range(1, arguments.clicks + 1)]
    header = ["`correction_sure`", "damaged", *clicks, "worse"]
    print(Table("Given masks, mIoU", header, rows).markdown())


def damaged(photograph: Photograph, annotations: list[Annotation]) -> Iterator[tuple[Mask, Mask]]:
    """The damaged and the true mask of each object, as the protocol ``mask_fix`` draws them."""
    for annotation in annotations:
        truth = photograph.mask(annotation)
        seed = [0, abs(photograph.record.image.image_id), abs(annotation.id)]
        yield damage_object(truth, np.random.default_rng(seed)), truth


if __name__ == "__main__":
    main()
