"""Seconds a photograph for everything at once, one thread: ours and peers on the same grid.

python benchmarks/everything.py --data ../shared/data/lvis-val --photographs 5
"""

from __future__ import annotations

import os

# Before NumPy is imported, which would otherwise start threads of its own.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import time

import numpy as np

from picosam2.data.source import open_source
from picosam2.evaluation.peers import open_segmenter, title_of
from picosam2.weights import DEFAULT_MODEL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--photographs", type=int, default=5)
    parser.add_argument("--names", default=f"{DEFAULT_MODEL},mobilesam,sam2-tiny")
    arguments = parser.parse_args()
    names = arguments.names.split(",")
    segmenters = {name: open_segmenter(name) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    masks: dict[str, list[int]] = {name: [] for name in names}
    for photograph in list(open_source(arguments.data))[: arguments.photographs]:
        image = photograph.load()
        for name, segmenter in segmenters.items():
            start = time.perf_counter()
            segmenter.set_image(image)
            masks[name].append(len(segmenter.everything()))
            seconds[name].append(time.perf_counter() - start)
    fastest = np.median(seconds[names[0]])
    for name in names:
        median = np.median(seconds[name])
        print(f"{title_of(name)}: {median:.2f} s, {median / fastest:.1f} times, ", end="")
        print(f"{np.mean(masks[name]):.0f} masks")


if __name__ == "__main__":
    main()
