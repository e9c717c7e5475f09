"""What passing a photograph through X-AnyLabeling costs: mIoU beside the predictor's own.

X-AnyLabeling squeezes every photograph into a square and enlarges the mask again. Its preparation
is repeated here in a few lines, its result not made a polygon:

    python -m picosam2.integrations.x_anylabeling exported/x-anylabeling
    python benchmarks/x_anylabeling.py exported/x-anylabeling --data ../shared/data/coco-val
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from picosam2 import Predictor
from picosam2.data.photograph import Photograph
from picosam2.data.rle import decode_rle
from picosam2.data.schema import Annotation
from picosam2.data.source import open_source
from picosam2.evaluation.run import choose_objects
from picosam2.integrations.x_anylabeling.encoding import MEAN, STD
from picosam2.integrations.x_anylabeling.model import DECODER, ENCODER
from picosam2.masks import mask_iou, most_interior_pixel
from picosam2.output import write_json
from picosam2.record import describe_machine, git_commit
from picosam2.runtime.session import open_session
from picosam2.table import Table


class Squeezed:
    """The two models, given what X-AnyLabeling gives them."""

    def __init__(self, folder: Path) -> None:
        self.encoder = open_session(folder / ENCODER, threads=1)
        self.decoder = open_session(folder / DECODER, threads=1)
        self.names = [value.name for value in self.decoder.get_inputs()]

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Choose the photograph, H×W×3 uint8 RGB."""
        self.size = image.shape[:2]
        height, width = self.encoder.get_inputs()[0].shape[2:]
        planes = [
            np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
            for plane in np.moveaxis(image.astype(np.float32) / 255, 2, 0)
        ]
        normalised = (np.stack(planes, axis=-1) - np.float32(MEAN)) / np.float32(STD)
        self.scale = np.array([width, height]) / self.size[::-1]
        self.features = self.encoder.run(None, {"image": np.moveaxis(normalised, 2, 0)[None]})

    def predict(self, points: NDArray[np.float64], labels: list[int]) -> NDArray[np.bool_]:
        """The mask, H×W, of one prompt: N×2 points in pixels and their SAM labels."""
        first, second, photograph = self.features
        inputs = (
            photograph, first, second, (points * self.scale)[None].astype(np.float32),
            np.array([labels], np.float32), np.zeros((1, 1, 256, 256), np.float32),
            np.zeros(1, np.float32),
        )  # fmt: skip
        masks, _ = self.decoder.run(None, dict(zip(self.names, inputs, strict=True)))
        return cv2.resize(masks[0, 0], self.size[::-1]) > 0


def measure(
    photograph: Photograph, group: list[Annotation], own: Predictor, squeezed: Squeezed
) -> list[dict[str, tuple[float, float, float, float]]]:
    """For each object and prompt: IoU of both, and seconds of both."""
    image = photograph.load()
    own.set_image(image)
    squeezed.set_image(image)
    rows = []
    for annotation in group:
        assert annotation.segmentation is not None
        truth = decode_rle(annotation.segmentation)
        x, y, width, height = annotation.bbox
        column, row = most_interior_pixel(truth)
        click = np.array([[column + 0.5, row + 0.5]])
        corners = np.array([[x, y], [x + width, y + height]])
        found = {}
        for name, points, labels, prompt in (
            ("click", click, [1], {"point_coords": click, "point_labels": [1]}),
            ("box", corners, [2, 3], {"box": corners.ravel()}),
        ):
            start = time.perf_counter()
            masks, _, _ = own.predict(**prompt, multimask_output=False)
            middle = time.perf_counter()
            theirs = squeezed.predict(points, labels)
            took = middle - start, time.perf_counter() - middle
            found[name] = (mask_iou(masks[0], truth), mask_iou(theirs, truth), *took)
        rows.append(found)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=500, help="measure only so many objects")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    own, squeezed = Predictor.from_pretrained(threads=1), Squeezed(arguments.folder)
    rows = []
    for photograph, group in tqdm(choose_objects(open_source(arguments.data), arguments.limit, 0)):
        rows += measure(photograph, group, own, squeezed)
    results = {}
    for name in ("click", "box"):
        values = np.array([row[name] for row in rows])
        difference = values[:, 1] - values[:, 0]
        half = 1.96 * difference.std(ddof=1) / np.sqrt(len(rows))
        miou, theirs = 100 * values[:, :2].mean(axis=0)
        results[name] = {
            "miou": miou, "squeezed": theirs,
            "difference": 100 * difference.mean(), "half_interval": 100 * half,
            "median_ms": (1e3 * np.median(values[:, 2:], axis=0)).tolist(),
        }  # fmt: skip
    table = Table(
        f"mIoU of {len(rows)} objects of {arguments.data.name}",
        ["prompt", "`Predictor`", "in X-AnyLabeling", "difference", "ms", "ms in X-AnyLabeling"],
        [
            [
                name, f"{r['miou']:.1f}", f"{r['squeezed']:.1f}",
                f"{r['difference']:+.1f} ± {r['half_interval']:.1f}",
                *(f"{ms:.0f}" for ms in r["median_ms"]),
            ]
            for name, r in results.items()
        ],
    )  # fmt: skip
    print(table.markdown())
    if arguments.json:
        facts = {"commit": git_commit(), "machine": describe_machine(), "objects": len(rows)}
        write_json(arguments.json, facts | {"results": results})


if __name__ == "__main__":
    main()
