"""How long one click takes, from decoded array to full-size mask: our networks, and SAM 2.

python benchmarks/click_latency.py

One thread, 640×480, INT8, models loaded, taking turns; SAM 2 must embed the image first.
"""

from __future__ import annotations

import os

# Before NumPy is imported, which would otherwise start threads of its own.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2 import Predictor
from picosam2.examples import EXAMPLES
from picosam2.labelling.photograph import ask
from picosam2.runtime import Runtime
from picosam2.teacher.base import click_prompts
from picosam2.teacher.fetch import SAM2_TINY
from picosam2.teacher.onnx import OnnxTeacher
from picosam2.weights import FAMILIES

PHOTO = EXAMPLES / "images" / "coffee.jpg"
SIZE = (640, 480)
CLICK = (307.0, 160.0)


def milliseconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return (time.perf_counter() - start) * 1000


class Stopwatch:
    """A runtime that adds up the time spent in the network."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.digest, self.scores = runtime, runtime.digest, runtime.scores
        self.marks_boxes = runtime.marks_boxes
        self.milliseconds = 0.0

    def __call__(self, crops: NDArray[np.uint8]) -> Any:
        """See :class:`picosam2.runtime.Runtime`."""
        start = time.perf_counter()
        answer = self.runtime(crops)
        self.milliseconds += (time.perf_counter() - start) * 1000
        return answer


@dataclass
class Ours:
    """One of our networks, and its times in milliseconds."""

    name: str
    predictor: Predictor
    whole: list[float] = field(default_factory=list)
    network: list[float] = field(default_factory=list)

    def click(self, image: NDArray[np.uint8]) -> None:
        """One click on a new image, timed."""
        stopwatch = self.predictor.runtime
        assert isinstance(stopwatch, Stopwatch)
        stopwatch.milliseconds = 0.0

        def task() -> None:
            self.predictor.set_image(image)
            self.predictor.predict([CLICK], [1], multimask_output=False)

        self.whole.append(milliseconds(task))
        self.network.append(stopwatch.milliseconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default=",".join(FAMILIES), help="separated by commas")
    parser.add_argument("--engine", help="what runs ours  [default: ONNX Runtime]")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clicks", type=int, default=20, help="our clicks a round")
    parser.add_argument("--alone", action="store_true", help="without SAM 2")
    arguments = parser.parse_args()
    image = np.asarray(Image.open(PHOTO).convert("RGB").resize(SIZE))
    networks = []
    for name in arguments.weights.split(","):
        predictor = Predictor.from_pretrained(name, engine=arguments.engine, threads=1)
        networks.append(Ours(name, Predictor(Stopwatch(predictor.runtime), predictor.config)))
    sam2 = None
    if not arguments.alone:
        SAM2_TINY.fetch()
        sam2 = OnnxTeacher(threads=1)

    def sam2_click() -> None:
        assert sam2 is not None
        sam2.set_image(image)
        next(ask(sam2, click_prompts([CLICK]), image.shape[:2]))

    theirs: list[float] = []
    # The first round warms up.
    for _ in range(arguments.rounds + 1):
        if sam2:
            theirs.append(milliseconds(sam2_click))
        for _ in range(arguments.clicks):
            for network in networks:
                network.click(image)
    print(f"One click, {SIZE[0]}×{SIZE[1]}, one thread, medians of {arguments.rounds} rounds")
    warm = slice(arguments.clicks, None)
    slowest = np.median(networks[-1].whole[warm])
    for ours in networks:
        whole, network = np.median(ours.whole[warm]), np.median(ours.network[warm])
        print(
            f"{ours.name}: {whole:.2f} ms ({whole / slowest:.2f} of {networks[-1].name}'s): ",
            end="",
        )
        print(f"network {network:.2f} ms, the rest {whole - network:.2f} ms; ", end="")
        print(f"{ours.predictor.forward_passes} forward passes")
    if sam2:
        slow = np.median(theirs[1:])
        print(f"SAM 2 Hiera-Tiny: {slow:.0f} ms, ", end="")
        print(f"{slow / np.median(networks[0].whole[warm]):.0f} times {networks[0].name}'s")


if __name__ == "__main__":
    main()
