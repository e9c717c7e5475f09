"""A hundred objects of annotated photographs, for the page's tests, and what Python makes of them.

    python scripts/web_objects.py ../shared/data/coco-val web/tests/vectors

The page answers the same prompts on the same decoded pixels; its masks must be as good.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from web_vectors import Blob

from picosam2 import Predictor
from picosam2.data.coco import CocoFolder
from picosam2.evaluation.run import choose_objects
from picosam2.masks import mask_iou, most_interior_pixel
from picosam2.weights import DEFAULT_MODEL

OBJECTS = 100


def main(data: Path, out: Path) -> None:
    """Write ``objects.json`` and ``objects.bin`` into a folder."""
    predictor = Predictor.from_pretrained(f"{DEFAULT_MODEL}-fp32", threads=1)
    blob = Blob()
    photographs = []
    for photograph, group in choose_objects(CocoFolder(data), OBJECTS, 0):
        image = photograph.load()
        predictor.set_image(image)
        objects = []
        for annotation in group:
            truth = photograph.mask(annotation)
            column, row = most_interior_pixel(truth)
            x, y, width, height = annotation.bbox
            click, box = (column + 0.5, row + 0.5), (x, y, x + width, y + height)
            clicked, *_ = predictor.predict([click], [1], multimask_output=False)
            boxed, *_ = predictor.predict(box=box, multimask_output=False)
            objects.append(
                {
                    "click": click,
                    "box": box,
                    "mask": blob.put(truth.astype(np.uint8)),
                    "iou": {
                        "click": mask_iou(clicked[0], truth),
                        "box": mask_iou(boxed[0], truth),
                    },
                }
            )
        photographs.append({"rgb": blob.put(image), "objects": objects})
    out.mkdir(parents=True, exist_ok=True)
    (out / "objects.bin").write_bytes(b"".join(blob.parts))
    (out / "objects.json").write_text(json.dumps({"photographs": photographs}), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    main(given.data, given.out)
