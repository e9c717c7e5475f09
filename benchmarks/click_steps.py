"""What each step of a click adds: mIoU over the image by size, and forward passes.

python benchmarks/click_steps.py --data ../shared/data/coco-val
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from picosam2 import Predictor, PredictorConfig
from picosam2.data.source import open_source
from picosam2.evaluation.metrics import summarise
from picosam2.masks import most_interior_pixel
from picosam2.evaluation.run import choose_objects
from picosam2.masks import mask_iou
from picosam2.output import write_json
from picosam2.prompt import Crop, cut, paste_mask

FULL = PredictorConfig()
STEPS = {
    "four scales, predicted IoU chooses": replace(FULL, refine="never", component=False),
    "+ component under the click": replace(FULL, refine="never"),
    "+ refining pass where the crop cut the mask (the default)": FULL,
    "refining pass always, 1.3 × the mask": replace(FULL, refine="always", refine_margin=1.3),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="int8")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    base = Predictor.from_pretrained(arguments.weights, threads=1)
    predictors = {name: Predictor(base.runtime, config) for name, config in STEPS.items()}
    ious: dict[str, list[float]] = {name: [] for name in ("one native crop", *STEPS)}
    passes = dict.fromkeys(ious, 0)
    areas = []
    for photograph, group in tqdm(choose_objects(open_source(arguments.data), arguments.limit, 0)):
        image = photograph.load()
        for predictor in predictors.values():
            predictor.set_image(image)
        for annotation in group:
            mask = photograph.mask(annotation)
            areas.append(np.count_nonzero(mask))
            column, row = most_interior_pixel(mask)
            x, y = column + 0.5, row + 0.5
            crop = Crop(x, y, 96 * photograph.native_scale)
            logits, _ = base.runtime(cut(image, crop)[None])
            ious["one native crop"].append(mask_iou(paste_mask(logits[0], crop, mask.shape), mask))
            passes["one native crop"] += 1
            for name, predictor in predictors.items():
                masks, _, _ = predictor.predict([[x, y]], [1], multimask_output=False)
                ious[name].append(mask_iou(masks[0], mask))
                passes[name] += predictor.forward_passes
    report = {}
    print("| step | mIoU | mAP | small | medium | large | forward passes a click |")
    print("|---|---|---|---|---|---|---|")
    for name, values in ious.items():
        figures = summarise(np.array(values), np.array(areas), seed=0)
        report[name] = figures | {"passes": passes[name] / len(areas)}
        sizes = [
            f"{100 * part['miou']:.1f}" if part["n"] else "–"
            for part in figures["by_size"].values()
        ]
        cells = [name, f"{100 * figures['miou']:.1f}", f"{100 * figures['map']:.1f}", *sizes]
        print("| " + " | ".join([*cells, f"{passes[name] / len(areas):.2f}"]) + " |")
    if arguments.json:
        write_json(arguments.json, report)


if __name__ == "__main__":
    main()
