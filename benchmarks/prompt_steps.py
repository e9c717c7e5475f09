"""What each step after the network adds to a click and to a box: IoU over the image.

python benchmarks/prompt_steps.py --data ../shared/data/coco-val --json steps.json
"""

from __future__ import annotations

import argparse
from copy import copy
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from picosam2 import Predictor, PredictorConfig
from picosam2.data.source import open_source
from picosam2.evaluation.metrics import summarise
from picosam2.evaluation.protocols import Case, jittered_box
from picosam2.evaluation.run import choose_objects
from picosam2.masks import mask_iou, most_interior_pixel
from picosam2.output import write_json
from picosam2.prompt import Crop, cut, paste_mask
from picosam2.record import git_commit
from picosam2.predictor.scores import OWN_SCORES
from picosam2.runtime import Runtime
from picosam2.table import Table
from picosam2.weights import BUNDLED, DEFAULT_MODEL

FULL = PredictorConfig()
CLICK_STEPS = {
    "four scales, the network's predicted IoU chooses": (
        replace(FULL, refine="never", component=False),
        OWN_SCORES,
    ),
    "+ what the masks show": (replace(FULL, refine="never", component=False), None),
    "+ component under the click": (replace(FULL, refine="never"), None),
    "+ refining pass where the crop cut the mask (the default)": (FULL, None),
    "refining pass always, 1.3 × the mask": (
        replace(FULL, refine="always", refine_margin=1.3),
        None,
    ),
}
JITTERS = (0.0, 0.05, 0.1, 0.2, 0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default=DEFAULT_MODEL, choices=tuple(BUNDLED))
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path, help="write the tables here")
    arguments = parser.parse_args()
    base = Predictor.from_pretrained(arguments.weights, threads=1)
    predictors = {
        name: Predictor(base.runtime, config, scores)
        for name, (config, scores) in CLICK_STEPS.items()
    }
    box_predictors = box_steps(base.runtime)
    clicks: dict[str, list[float]] = {name: [] for name in ("one native crop", *CLICK_STEPS)}
    passes = dict.fromkeys(clicks, 0)
    boxed: dict[tuple[str, float], list[float]] = {
        (n, j): [] for n in box_predictors for j in JITTERS
    }
    areas = []
    for photograph, group in tqdm(choose_objects(open_source(arguments.data), arguments.limit, 0)):
        image = photograph.load()
        for predictor in (*predictors.values(), *box_predictors.values()):
            predictor.set_image(image)
        for annotation in group:
            if min(annotation.bbox[2:]) <= 0:
                continue
            mask = photograph.mask(annotation)
            areas.append(np.count_nonzero(mask))
            column, row = most_interior_pixel(mask)
            x, y = column + 0.5, row + 0.5
            crop = Crop(x, y, 96 * photograph.native_scale)
            logits, _ = base.runtime(cut(image, crop)[None])
            clicks["one native crop"].append(
                mask_iou(paste_mask(logits[0], crop, mask.shape), mask)
            )
            passes["one native crop"] += 1
            for name, predictor in predictors.items():
                masks, _, _ = predictor.predict([[x, y]], [1], multimask_output=False)
                clicks[name].append(mask_iou(masks[0], mask))
                passes[name] += predictor.forward_passes
            case = Case(image, mask, annotation, photograph.image_id)
            for (name, jitter), values in boxed.items():
                box = jittered_box(case, jitter)
                masks, _, _ = box_predictors[name].predict(box=box, multimask_output=False)
                values.append(mask_iou(masks[0], mask))
    rows = [
        [name, *click_cells(values, areas), f"{passes[name] / len(areas):.2f}"]
        for name, values in clicks.items()
    ]
    heads = ["step", "mIoU", "mAP", "small", "medium", "large", "forward passes a click"]
    click = Table("Click", heads, rows)
    rows = [
        [name, *(f"{100 * np.mean(boxed[name, jitter]):.1f}" for jitter in JITTERS)]
        for name in box_predictors
    ]
    heads = ["step", *(f"box off by {100 * jitter:g} %" for jitter in JITTERS)]
    box = Table("Box", heads, rows)
    print(click.markdown(), box.markdown(), sep="\n")
    if arguments.json:
        record = {
            "commit": git_commit(),
            "data": arguments.data.name,
            "limit": arguments.limit,
            "objects": len(areas),
            "weights": arguments.weights,
            "weights_sha256": base.runtime.digest,
        }
        write_json(
            arguments.json, record | {"tables": {"click": asdict(click), "box": asdict(box)}}
        )


def box_steps(runtime: Runtime) -> dict[str, Predictor]:
    """Predictors that take one step more each, by what it is."""
    fit = FULL.fit(runtime.marks_boxes)
    once = replace(fit, careless=0.0)
    plain = replace(once, slope=0.0, shifts=(0.0,))
    steps = {"the network's mask": (runtime, plain)}
    if runtime.marks_boxes:
        blind = copy(runtime)
        blind.marks_boxes = False
        steps = {
            "the network's mask of the plain crop": (blind, plain),
            "the box drawn on the crop": (runtime, plain),
        }
    steps["+ logits lowered outside the box"] = runtime, replace(once, shifts=(0.0,))
    filled = "+ and shifted to fill it"
    if fit.careless:
        steps[filled] = runtime, once
        steps["+ a careless box looked at again, nearer to its mask (the default)"] = runtime, fit
    else:
        steps[f"{filled} (the default)"] = runtime, fit
    return {
        name: Predictor(asked, replace(FULL, box=config, marked_box=config))
        for name, (asked, config) in steps.items()
    }


def click_cells(values: list[float], areas: list[int]) -> list[str]:
    """MIoU, mAP and mIoU by size, in points."""
    figures = summarise(np.array(values), np.array(areas), seed=0)
    sizes = [f"{100 * p['miou']:.1f}" if p["n"] else "–" for p in figures["by_size"].values()]
    return [f"{100 * figures['miou']:.1f}", f"{100 * figures['map']:.1f}", *sizes]


if __name__ == "__main__":
    main()
