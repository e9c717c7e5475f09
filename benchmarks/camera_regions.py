"""What to do with a crop that leaves the frame: mIoU of moving and shrinking it, border objects.

Of the objects of a folder those whose crop (for a click: whose largest crop) leaves the photograph:

    python benchmarks/camera_regions.py --data ../shared/data/coco-val
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from picosam2.camera.session import SessionConfig
from picosam2.camera.stills import CameraSegmenter
from picosam2.data.source import open_source
from picosam2.evaluation.metrics import mean_interval
from picosam2.evaluation.run import choose_objects
from picosam2.masks import mask_iou, most_interior_pixel
from picosam2.output import write_json
from picosam2.predictor import PredictorConfig
from picosam2.prompt import Crop, box_crop
from picosam2.runtime.onnx import OnnxRuntime
from picosam2.weights import model_path

KEEPS = {
    "move (`keep` 1)": 1.0,
    "shrink to ¾, then move": 0.75,
    "shrink to ½, then move": 0.5,
    "shrink to ¼, then move": 0.25,
    "shrink (`keep` 0)": 0.0,
}


def leaves(crop: Crop, size: tuple[int, int]) -> bool:
    """Whether a crop reaches beyond the frame."""
    height, width = size
    inside = crop.left >= 0 and crop.top >= 0
    return not (inside and crop.left + crop.side <= width and crop.top + crop.side <= height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="int8")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    runtime = OnnxRuntime(model_path(arguments.weights), threads=1)
    cameras = {
        name: CameraSegmenter(runtime, SessionConfig(keep=keep, follow=False))
        for name, keep in KEEPS.items()
    }
    ious: dict[str, dict[str, list[float]]] = {
        prompt: {name: [] for name in KEEPS} for prompt in ("click", "box")
    }
    for photograph, group in tqdm(choose_objects(open_source(arguments.data), arguments.limit, 0)):
        image = photograph.load()
        for annotation in group:
            mask = photograph.mask(annotation)
            column, row = most_interior_pixel(mask)
            point = column + 0.5, row + 0.5
            x, y, width, height = annotation.bbox
            box = x, y, x + width, y + height
            largest = Crop(*point, max(PredictorConfig.click_sides) * max(mask.shape))
            for name, camera in cameras.items():
                camera.set_image(image)
                if leaves(largest, mask.shape):
                    ious["click"][name].append(mask_iou(camera.click(*point)[0], mask))
                if leaves(box_crop(box), mask.shape):
                    ious["box"][name].append(mask_iou(camera.box(box)[0], mask))
    count = {prompt: len(next(iter(values.values()))) for prompt, values in ious.items()}
    print(f"| | click ({count['click']} objects) | box ({count['box']} objects) |")
    print("|---|---|---|")
    for name in KEEPS:
        cells = []
        for prompt in ious:
            values = np.array(ious[prompt][name])
            low, high = mean_interval(values, seed=0)
            cells.append(f"{100 * values.mean():.1f} ({100 * low:.1f}–{100 * high:.1f})")
        print(f"| {name} | {' | '.join(cells)} |")
    if arguments.json:
        write_json(arguments.json, ious)


if __name__ == "__main__":
    main()
