"""Milliseconds from a decoded photograph to the full-size mask of one click, beside SAM 2's.

One thread each, models loaded, the two interleaved, medians:

    python benchmarks/click_latency.py
"""

from __future__ import annotations

import os

# Before NumPy is imported: one thread for everything.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from picosam2 import Predictor
from picosam2.examples import EXAMPLES
from picosam2.labelling.photograph import ask
from picosam2.teacher.base import click_prompts
from picosam2.teacher.fetch import SAM2_TINY
from picosam2.teacher.onnx import OnnxTeacher

PHOTO = EXAMPLES / "images" / "coffee.jpg"
SIZE = (640, 480)
CLICK = (307.0, 160.0)


def milliseconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return (time.perf_counter() - start) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="int8", help="int8, fp32 or a file")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clicks", type=int, default=20, help="PicoSAM2's clicks a round")
    arguments = parser.parse_args()
    image = np.asarray(Image.open(PHOTO).convert("RGB").resize(SIZE))
    predictor = Predictor.from_pretrained(arguments.weights, threads=1)
    SAM2_TINY.fetch()
    sam2 = OnnxTeacher(threads=1)

    def pico_click() -> None:
        predictor.set_image(image)
        predictor.predict([CLICK], [1], multimask_output=False)

    def sam2_click() -> None:
        sam2.set_image(image)
        next(ask(sam2, click_prompts([CLICK]), image.shape[:2]))

    pico_click()
    sam2_click()
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(arguments.rounds):
        theirs.append(milliseconds(sam2_click))
        ours += [milliseconds(pico_click) for _ in range(arguments.clicks)]
    fast, slow = np.median(ours), np.median(theirs)
    print(f"PicoSAM2 {arguments.weights}: {fast:.1f} ms (fastest {min(ours):.1f}), ", end="")
    print(f"{predictor.forward_passes} forward passes, {SIZE[0]}×{SIZE[1]}, one thread")
    print(f"SAM 2 Hiera-Tiny: {slow:.0f} ms (fastest {min(theirs):.0f})")
    print(f"ratio of the medians: {slow / fast:.0f}")


if __name__ == "__main__":
    main()
