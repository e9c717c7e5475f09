"""COCO's run-length encoding of masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from picosam2.data.schema import Rle


def encode_mask(mask: NDArray[np.bool_]) -> Rle:
    """An H×W mask as RLE."""
    columns_first = np.zeros(mask.shape, np.uint8, order="F")
    # Most masks are small: only their extent is worth the turning.
    (rows,), (columns,) = (np.nonzero(mask.any(axis=axis)) for axis in (1, 0))
    if len(rows):
        extent = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        columns_first[extent] = mask[extent]
    return rle_from_coco(coco_mask.encode(columns_first))


def encode_window(mask: NDArray[np.bool_], origin: tuple[int, int], size: tuple[int, int]) -> Rle:
    """The RLE of a mask that is known in a window of an image, without the image's other pixels.

    Args:
        mask: h×w bool.
        origin: x and y of its first pixel in the image.
        size: H, W of the image.
    """
    (x, y), (height, width) = origin, size
    rows, columns = mask.shape
    strip = np.zeros((columns, height), bool)
    strip[:, y : y + rows] = mask.T
    values = strip.ravel()
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [len(values)]])).tolist()
    if len(values) and values[0]:
        counts = [0, *counts]
    counts[0] += x * height
    after = (width - x - columns) * height
    # Runs of background and object take turns, background first.
    counts = [*counts[:-1], counts[-1] + after] if len(counts) % 2 else [*counts, after]
    return rle_from_coco(
        coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    )


def decode_rle(rle: Rle) -> NDArray[np.bool_]:
    """The H×W mask of an RLE that has been checked."""
    # A view: pycocotools gives bytes of 0 and 1, and the mask may have 500 million.
    mask: NDArray[np.bool_] = coco_mask.decode(to_coco(rle)).view(np.bool_)
    return mask


def to_coco(rle: Rle) -> dict[str, Any]:
    """As pycocotools takes it."""
    return {"size": list(rle.size), "counts": rle.counts.encode()}


def rle_area(rle: Rle) -> int:
    """Pixels of the mask."""
    return int(coco_mask.area(to_coco(rle)))


def rle_bbox(rle: Rle) -> tuple[float, float, float, float]:
    """Extent of the mask: x, y, width, height in pixels."""
    x, y, width, height = coco_mask.toBbox(to_coco(rle)).tolist()
    return x, y, width, height


def box_iou(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """IoU of two boxes (x, y, width, height)."""
    return float(coco_mask.iou(np.array([a]), np.array([b]), [0])[0, 0])


def check_rle(rle: Rle, height: int, width: int) -> None:
    """Refuse an RLE of another size, or whose runs do not add up: it would decode to stray memory.

    COCO's compressed runs are 5-bit groups, low first, from the third run on as differences to the
    run two before (``rleFrString`` of pycocotools).

    Raises:
        ValueError: the RLE is broken or of another size.
    """
    if rle.size != (height, width):
        raise ValueError(f"a mask of {list(rle.size)} in an image of {[height, width]}")
    groups = np.frombuffer(rle.counts.encode(), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(groups & 32 == 0)
    if not len(ends) or ends[-1] != len(groups) - 1 or groups.min() < 0 or groups.max() > 63:
        raise ValueError("the mask's runs are cut off or not COCO's")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 7:
        raise ValueError("a run of the mask is longer than any image")
    place = np.arange(len(groups)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((groups & 31) << (5 * place), starts)
    runs -= (groups[ends] & 16 > 0).astype(np.int64) << (5 * lengths)
    if len(runs) > 2:
        # The third run is absolute, the fourth adds the second, the fifth the third, and so on.
        runs[1::2] = runs[1::2].cumsum()
        runs[2::2] = runs[2::2].cumsum()
    if runs.min() < 0 or runs.sum() != height * width:
        raise ValueError("the mask's runs do not add up to the image")


def rle_from_coco(rle: dict[str, Any]) -> Rle:
    """As pycocotools gives it."""
    height, width = rle["size"]
    return Rle((height, width), rle["counts"].decode())


def rle_json(rle: Rle) -> dict[str, Any]:
    """As COCO's JSON has it: ``size`` (H, W) and ``counts``."""
    return {"size": list(rle.size), "counts": rle.counts}


def rle_from_json(segmentation: dict[str, Any]) -> Rle:
    """What ``rle_json`` wrote, which is not checked here: ``check_rle`` does that."""
    height, width = segmentation["size"]
    return Rle((height, width), segmentation["counts"])
