"""How fast objects are followed, and that memory stays flat.

    python benchmarks/tracking.py --frames 300 --stream 10000

A photograph in the package is panned over at two sizes, and its largest object followed: crop to
full-size mask, wider searches included, one thread and two. Then --stream frames in a row, with the
process's memory before and after.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.coco import CocoFolder
from picosam2.examples import EXAMPLES
from picosam2.record import describe_machine
from picosam2.video import Tracker

SIZES = ((854, 480), (1920, 1080))
Image8 = NDArray[np.uint8]


def pan(width: int, height: int) -> tuple[list[Image8], NDArray[np.bool_]]:
    """Frames that go to and fro over the cup, and its mask in the first."""
    photograph = next(p for p in CocoFolder(EXAMPLES) if p.record.image.file_name == "coffee.jpg")
    mask = photograph.mask(photograph.objects[0])
    scale = 1.25 * max(width / photograph.width, height / photograph.height)
    size = (round(scale * photograph.width), round(scale * photograph.height))
    image = np.asarray(Image.fromarray(photograph.load()).resize(size))
    large = np.asarray(Image.fromarray(mask).resize(size))
    frames = []
    for step in (*range(30), *range(30, 0, -1)):
        left = round((size[0] - width) * step / 30)
        top = (size[1] - height) // 2
        frames.append(np.ascontiguousarray(image[top : top + height, left : left + width]))
    return frames, large[top : top + height, :width]


def endless(frames: list[Image8], count: int) -> Iterator[Image8]:
    for number in range(count):
        yield frames[number % len(frames)]


def resident_bytes() -> int:
    """Of this process, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--stream", type=int, default=0)
    arguments = parser.parse_args()
    print(describe_machine())
    for width, height in SIZES:
        frames, mask = pan(width, height)
        for threads in (1, 2):
            tracker = Tracker.from_pretrained(threads=threads)
            tracker.start(frames[0], mask=mask)
            times = []
            for frame in endless(frames, arguments.frames):
                start = time.perf_counter()
                tracker.update(frame)
                times.append(time.perf_counter() - start)
            median, high = np.percentile(times, [50, 95])
            print(
                f"{width}×{height}, {threads} thread(s): {1 / median:.0f} frames/s (median), "
                f"{1000 * median:.2f} ms, 95th percentile {1000 * high:.2f} ms"
            )
    if arguments.stream:
        frames, mask = pan(*SIZES[0])
        tracker = Tracker.from_pretrained(threads=1)
        tracker.start(frames[0], mask=mask)
        before = 0
        for number, frame in enumerate(endless(frames, arguments.stream)):
            tracker.update(frame)
            if number == 100:
                before = resident_bytes()
        after = resident_bytes()
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{arguments.stream} frames: memory {(after - before) / 1e6:+.1f} MB "
            f"since frame 100, at most {most:.0f} MB"
        )


if __name__ == "__main__":
    main()
