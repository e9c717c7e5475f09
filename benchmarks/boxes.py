"""Boxes around objects a second as prompts, in calls of 1, 16 and 64, one thread, taking turns.

python benchmarks/boxes.py
"""

from __future__ import annotations

import os

# Before NumPy is imported, which would otherwise start threads of its own.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import time

import numpy as np
from PIL import Image

from picosam2 import Predictor
from picosam2.data.coco import CocoFolder
from picosam2.examples import EXAMPLES
from picosam2.weights import DEFAULT_MODEL

PHOTOGRAPH, SIZE = "coffee.jpg", (640, 480)
BOXES = 64
CALLS = (1, 16, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default=DEFAULT_MODEL)
    parser.add_argument("--engine", help="[default: ONNX Runtime]")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    photograph = next(p for p in CocoFolder(EXAMPLES) if p.record.image.file_name == PHOTOGRAPH)
    original = Image.fromarray(photograph.load())
    image = np.asarray(original.resize(SIZE))
    predictor = Predictor.from_pretrained(arguments.weights, engine=arguments.engine, threads=1)
    predictor.set_image(image)
    rng = np.random.default_rng(0)
    # As detectors find them: each side of an object's box is off by up to a tenth.
    drawn = np.array([annotation.bbox for annotation in photograph.objects])
    x, y, width, height = rng.choice(drawn, BOXES).T
    off = rng.uniform(-0.1, 0.1, (4, BOXES)) * [width, height, width, height]
    corners = np.stack([x, y, x + width, y + height]) + off
    boxes = (corners.T * np.tile(np.divide(SIZE, original.size), 2)).clip(0, np.tile(SIZE, 2))
    seconds: dict[int, list[float]] = {count: [] for count in CALLS}
    # The first round warms up.
    for _ in range(arguments.rounds + 1):
        for count in CALLS:
            start = time.perf_counter()
            for first in range(0, BOXES, count):
                predictor.predict(box=boxes[first : first + count], multimask_output=False)
            seconds[count].append(time.perf_counter() - start)
    alone = np.median(seconds[1][1:])
    print(f"{BOXES} boxes, {SIZE[0]}×{SIZE[1]}, {arguments.weights}, one thread, medians")
    for count in CALLS:
        median = np.median(seconds[count][1:])
        print(f"{count} a call: {BOXES / median:.0f} boxes/s, {median / alone:.2f} of the time")


if __name__ == "__main__":
    main()
