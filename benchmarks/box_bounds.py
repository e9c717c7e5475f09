"""How much of a box's mask lies outside the box, by the box's aspect ratio, and what bounds cost.

Outside is what lies outside the box enlarged by a tenth of its width and height and by a pixel, on
each side. The objects' own boxes, and the same narrowed around their middle, as boxes of any shape
may be drawn; without bounds, and as by default:

    python benchmarks/box_bounds.py --data ../shared/data/coco-val
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from picosam2 import Predictor, PredictorConfig
from picosam2.predictor.boxes import BoxConfig
from picosam2.data.source import open_source
from picosam2.evaluation.run import choose_objects
from picosam2.masks import mask_iou
from picosam2.output import write_json
from picosam2.record import git_commit
from picosam2.table import ABSENT, Table
from picosam2.weights import DEFAULT_MODEL

Box = tuple[float, float, float, float]
ASPECTS = (1, 2, 4, 8, math.inf)
NARROWED = (8, 32, 128)
CONFIGS = {"without bounds": BoxConfig(margin=1e6), "by default": BoxConfig()}
ALLOWED = 0.05


def share_outside(mask: NDArray[np.bool_], box: Box) -> float:
    """Of the mask's pixels, by their centres; 0 where it is empty."""
    x0, y0, x1, y1 = box
    across, down = 0.1 * (x1 - x0) + 1, 0.1 * (y1 - y0) + 1
    rows, columns = (index + 0.5 for index in np.nonzero(mask))
    inside = (columns >= x0 - across) & (columns <= x1 + across)
    inside &= (rows >= y0 - down) & (rows <= y1 + down)
    return 1 - float(inside.mean()) if len(rows) else 0.0


def narrowed(box: Box, aspect: float) -> Box:
    """The box with its shorter side made so short, around its middle."""
    x0, y0, x1, y1 = box
    x, y, half = (x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0) / aspect / 2
    return (x0, y - half, x1, y + half) if x1 - x0 >= y1 - y0 else (x - half, y0, x + half, y1)


def name_of(aspect: float) -> str:
    low, high = next((low, high) for low, high in pairwise(ASPECTS) if low <= aspect < high)
    return f"{low}:1 to {high}:1" if high < math.inf else f"{low}:1 and longer"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default=DEFAULT_MODEL, help="a name or a file")
    parser.add_argument("--limit", type=int, help="measure only so many objects")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    runtime = Predictor.from_pretrained(arguments.weights, threads=1).runtime
    predictors = {name: Predictor(runtime, PredictorConfig(box=c)) for name, c in CONFIGS.items()}
    # (boxes, configuration): share outside and IoU of each.
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    objects = 0
    source = open_source(str(arguments.data))
    for photograph, group in tqdm(choose_objects(source, arguments.limit, 0)):
        image = photograph.load()
        for predictor in predictors.values():
            predictor.set_image(image)
        for annotation in group:
            x, y, width, height = annotation.bbox
            if min(width, height) <= 0:
                continue
            objects += 1
            own, truth = (x, y, x + width, y + height), photograph.mask(annotation)
            boxes = {name_of(max(width, height) / min(width, height)): own, "all": own}
            boxes |= {f"narrowed to {n}:1": narrowed(own, n) for n in NARROWED}
            for (row, box), (name, predictor) in (
                (b, p) for b in boxes.items() for p in predictors.items()
            ):
                mask = predictor.predict(box=box, multimask_output=False)[0][0]
                iou = mask_iou(mask, truth) if box is own else math.nan
                found[row, name].append((share_outside(mask, box), iou))
    table = tabulate(found)
    print(table.markdown(), end="")
    if arguments.json:
        record = {
            "commit": git_commit(),
            "data": arguments.data.name,
            "limit": arguments.limit,
            "objects": objects,
            "weights": arguments.weights,
            "weights_sha256": runtime.digest,
        }
        write_json(arguments.json, record | {"tables": {"outside": asdict(table)}})


def tabulate(found: dict[tuple[str, str], list[tuple[float, float]]]) -> Table:
    heads = ["boxes (longer : shorter side)", "number"]
    for name in CONFIGS:
        heads += [f"outside, {name}", "most of one mask", f"masks with over {ALLOWED:.0%}", "mIoU"]
    order = [name_of(low) for low in ASPECTS[:-1]] + ["all"]
    order += [f"narrowed to {aspect}:1" for aspect in NARROWED]
    rows = []
    for row in (row for row in order if (row, "by default") in found):
        cells = [row, f"{len(found[row, 'by default']):,}"]
        for name in CONFIGS:
            shares, ious = np.array(found[row, name]).T
            cells += [f"{100 * shares.mean():.2f} %", f"{100 * shares.max():.1f} %"]
            cells += [f"{(shares > ALLOWED).sum():,}"]
            cells += [ABSENT if np.isnan(ious).any() else f"{100 * ious.mean():.2f}"]
        rows.append(cells)
    return Table("Boxes", heads, rows)


if __name__ == "__main__":
    main()
