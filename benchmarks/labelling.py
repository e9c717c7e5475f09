"""Photographs labelled a second: one embedding a photograph against one a prompt.

The paper's code embeds a crop for every prompt; here a photograph is embedded once and all its
prompts are decoded from that. One thread, the two interleaved photograph by photograph:

    python benchmarks/labelling.py --data ../shared/data/coco-train
"""

from __future__ import annotations

import os

# Before NumPy is imported: one thread for everything.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import time

import numpy as np
from tqdm import tqdm

from picosam2.data.schema import Record
from picosam2.data.source import open_source
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.photograph import label_photograph
from picosam2.teacher import load_teacher


class EmbedEveryPrompt:
    """A teacher that embeds the photograph anew for each prompt it is asked."""

    def __init__(self, teacher) -> None:
        self.name = teacher.name
        self._teacher = teacher

    def set_image(self, image) -> None:
        """Keep it for later."""
        self._image = image

    def predict(self, coords, labels):
        """See ``Teacher.predict``."""
        answers = []
        for row in range(len(coords)):
            self._teacher.set_image(self._image)
            answers.append(self._teacher.predict(coords[row : row + 1], labels[row : row + 1]))
        logits, predicted_iou = zip(*answers, strict=True)
        return np.concatenate(logits), np.concatenate(predicted_iou)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder in COCO format, or shards")
    parser.add_argument("--teacher", default="sam2-tiny")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    source = open_source(arguments.data)
    chosen = np.random.default_rng(arguments.seed).permutation(len(source))[: arguments.images]
    teacher = load_teacher(arguments.teacher)
    ways = {"a photograph": teacher, "a prompt": EmbedEveryPrompt(teacher)}
    seconds = dict.fromkeys(ways, 0.0)
    prompts = 0
    for index in tqdm(sorted(chosen)):
        photograph = source.photographs[index]
        image = photograph.load()
        record = Record(photograph.record.image, photograph.record.annotations)
        for name, way in ways.items():
            start = time.perf_counter()
            labelled, _ = label_photograph(way, image, record, LabelConfig())
            seconds[name] += time.perf_counter() - start
        prompts += sum(len(a.teacher) for a in labelled.annotations)
    count = len(chosen)
    print(f"{count} photographs, {prompts} prompts, {teacher.name}, one thread")
    for name, total in seconds.items():
        print(f"one embedding {name}: {count / total:.3f} images/s")
    slow, fast = seconds["a prompt"], seconds["a photograph"]
    print(f"ratio: {slow / fast:.1f}")


if __name__ == "__main__":
    main()
