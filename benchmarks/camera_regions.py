"""What to do with a crop that leaves the frame: mIoU of moving, shrinking and narrowing it.

Of the objects of a folder those whose crop (for a click: whose largest crop) leaves the photograph;
a click's scales are chosen by predicted IoU:

    python benchmarks/camera_regions.py --data ../shared/data/coco-val

With --scalers, boxes of all objects, by how a region is scaled to 96×96.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from picosam2.camera.replay import scale_region
from picosam2.data.source import open_source
from picosam2.evaluation.metrics import mean_interval
from picosam2.evaluation.run import choose_objects
from picosam2.masks import mask_iou, most_interior_pixel
from picosam2.output import write_json
from picosam2.predictor import PredictorConfig
from picosam2.prompt import CROP_SIZE, Crop, Region, box_crop, click_crops, cut, fit_region, paste
from picosam2.prompt import paste_region
from picosam2.runtime.onnx import OnnxRuntime
from picosam2.weights import DEFAULT_MODEL, model_path

Image = NDArray[np.uint8]
Answer = tuple[NDArray[np.bool_], float]
CONFIG = PredictorConfig()


def shrunk(crop: Crop, size: tuple[int, int]) -> Region:
    """The largest square around the crop's centre inside the frame."""
    height, width = size
    room = 2 * min(crop.x, width - crop.x, crop.y, height - crop.y)
    return fit_region(Crop(crop.x, crop.y, max(1, min(crop.side, room))), size)


REGIONS: dict[str, Callable[[Crop, tuple[int, int]], Region]] = {
    "moved inside, not narrowed": partial(fit_region, keep=1.0),
    "shrunk, square, centred": shrunk,
    "narrowed each way to ½, then moved": partial(fit_region, keep=0.5),
    "narrowed each way to ¼, then moved": partial(fit_region, keep=0.25),
    "narrowed each way to ⅛, then moved (the default)": fit_region,
    "narrowed each way, centred": partial(fit_region, keep=0.0),
}
OUTSIDE = "(no sensor can) black outside the frame"
SCALERS: dict[str, Callable[[Image, Region], Image]] = {
    "triangle filter (the replay's)": scale_region,
    "bilinear, not anti-aliased": lambda image, region: resized(image, region, cv2.INTER_LINEAR),
    "area": lambda image, region: resized(image, region, cv2.INTER_AREA),
    "nearest": lambda image, region: resized(image, region, cv2.INTER_NEAREST),
}


def resized(image: Image, region: Region, how: int) -> Image:
    pixels = image[region.y : region.y + region.height, region.x : region.x + region.width]
    return np.asarray(cv2.resize(pixels, (CROP_SIZE, CROP_SIZE), interpolation=how), np.uint8)


def leaves(crop: Crop, size: tuple[int, int]) -> bool:
    height, width = size
    inside = crop.left >= 0 and crop.top >= 0
    return not (inside and crop.left + crop.side <= width and crop.top + crop.side <= height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default=DEFAULT_MODEL)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--scalers", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    runtime = OnnxRuntime(model_path(arguments.weights), threads=1)

    def look(image: Image, region: Region, scale: Callable[..., Image] = scale_region) -> Answer:
        logits, scores = runtime(scale(image, region)[None])
        return paste_region(logits[0], region, image.shape[:2]) > 0, float(scores[0])

    def look_outside(image: Image, crop: Crop) -> Answer:
        logits, scores = runtime(cut(image, crop)[None])
        return paste(logits[0], crop, image.shape[:2]) > 0, float(scores[0])

    ious: dict[str, dict[str, list[float]]] = {}
    for photograph, group in tqdm(choose_objects(open_source(arguments.data), arguments.limit, 0)):
        image = photograph.load()
        for annotation in group:
            mask = photograph.mask(annotation)
            size = mask.shape
            x, y, width, height = annotation.bbox
            box = box_crop((x, y, x + width, y + height))
            if arguments.scalers:
                for name, scale in SCALERS.items():
                    answer, _ = look(image, fit_region(box, size), scale)
                    row = ious.setdefault(name, {"box": []})
                    row["box"].append(mask_iou(answer, mask))
                continue
            column, line = most_interior_pixel(mask)
            sides = [max(CONFIG.min_side, max(size) * share) for share in CONFIG.click_sides]
            click = click_crops(column + 0.5, line + 0.5, sides)
            for prompt, crops in (("click", click), ("box", [box])):
                if not leaves(crops[-1], size):
                    continue
                found = {OUTSIDE: [look_outside(image, crop) for crop in crops]}
                for name, region in REGIONS.items():
                    found[name] = [look(image, region(crop, size)) for crop in crops]
                for name, answers in found.items():
                    best, _ = max(answers, key=lambda answer: answer[1])
                    row = ious.setdefault(name, {"click": [], "box": []})
                    row[prompt].append(mask_iou(best, mask))
    for number, (name, row) in enumerate(ious.items()):
        if number == 0:
            heads = [f"{prompt} ({len(values)} objects)" for prompt, values in row.items()]
            print(f"| | {' | '.join(heads)} |\n|---|" + "---|" * len(row))
        cells = []
        for values in map(np.array, row.values()):
            low, high = mean_interval(values, seed=0)
            cells.append(f"{100 * values.mean():.1f} ({100 * low:.1f}–{100 * high:.1f})")
        print(f"| {name} | {' | '.join(cells)} |")
    if arguments.json:
        write_json(arguments.json, ious)


if __name__ == "__main__":
    main()
