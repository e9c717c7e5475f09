"""What labelling takes: seconds, bytes, and from these SA-1B on N cores.

One embedding a photograph (this package) against one a prompt (the paper's code embeds a crop for
every prompt), one thread, the two interleaved photograph by photograph:

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

from picosam2.data.records import encode_record
from picosam2.data.source import open_source
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.photograph import label_photograph
from picosam2.teacher import load_teacher

SA1B_IMAGES, SA1B_MASKS = 11e6, 1.1e9
PROMPTS_A_MASK = 2
HOURS_A_YEAR = 365 * 24


class Timed:
    """A teacher, and how long it takes for embeddings and for prompts."""

    def __init__(self, teacher, embed_every_prompt: bool) -> None:
        self.name = teacher.name
        self._teacher, self._every = teacher, embed_every_prompt
        self.embedding = self.decoding = 0.0
        self.embeddings = self.prompts = 0

    def set_image(self, image) -> None:
        """Embed, or keep the photograph for later."""
        self._image = image
        if not self._every:
            self._embed()

    def predict(self, coords, labels):
        """See ``Teacher.predict``."""
        step = 1 if self._every else len(coords)
        answers = []
        for row in range(0, len(coords), step):
            if self._every:
                self._embed()
            start = time.perf_counter()
            answers.append(
                self._teacher.predict(coords[row : row + step], labels[row : row + step])
            )
            self.decoding += time.perf_counter() - start
        self.prompts += len(coords)
        logits, predicted_iou = zip(*answers, strict=True)
        return np.concatenate(logits), np.concatenate(predicted_iou)

    def _embed(self) -> None:
        start = time.perf_counter()
        self._teacher.set_image(self._image)
        self.embedding += time.perf_counter() - start
        self.embeddings += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder in COCO format, or shards")
    parser.add_argument("--teacher", default="sam2-tiny")
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    source = open_source(arguments.data)
    chosen = np.random.default_rng(arguments.seed).permutation(len(source))[: arguments.images]
    teacher = load_teacher(arguments.teacher)
    once, every = Timed(teacher, False), Timed(teacher, True)
    seconds = {once: 0.0, every: 0.0}
    json_bytes = soft_bytes = 0
    for index in tqdm(sorted(chosen)):
        photograph = source.photographs[index]
        image = photograph.load()
        for way in seconds:
            start = time.perf_counter()
            record, soft = label_photograph(way, image, photograph.record, LabelConfig())
            seconds[way] += time.perf_counter() - start
        json_bytes += len(encode_record(record)) - len(encode_record(photograph.record))
        soft_bytes += len(soft or b"")
    count = len(chosen)
    embedding, prompt = once.embedding / once.embeddings, once.decoding / once.prompts
    other = (seconds[once] - once.embedding - once.decoding) / once.prompts
    print(f"{teacher.name}, one thread, {count} photographs, {once.prompts} prompts")
    for name, way in (("a photograph", once), ("a prompt", every)):
        print(f"one embedding {name}: {count / seconds[way]:.3f} images/s")
    print(f"ratio: {seconds[every] / seconds[once]:.1f}")
    print(f"an embedding {embedding:.2f} s, a prompt {prompt:.3f} s, the rest of it {other:.3f} s")
    objects = once.prompts / PROMPTS_A_MASK
    print(f"an object: {json_bytes / objects:.0f} bytes of JSON, {soft_bytes / objects:.0f} of PNG")
    hours = (SA1B_IMAGES * embedding + SA1B_MASKS * PROMPTS_A_MASK * (prompt + other)) / 3600
    terabytes = SA1B_MASKS * (json_bytes + soft_bytes) / objects / 1e12
    print(
        f"SA-1B, {SA1B_IMAGES:.2g} images, {SA1B_MASKS:.2g} masks, box and click of each: ", end=""
    )
    print(f"{hours / HOURS_A_YEAR:.1f} core-years, {terabytes:.2f} TB of labels")
    print(f"its embeddings alone: {SA1B_IMAGES * embedding / 3600 / HOURS_A_YEAR:.1f} core-years")


if __name__ == "__main__":
    main()
