"""COCO's run-length encoding: any segmentation in, one checked compressed RLE out."""

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
    return _from_coco(coco_mask.encode(columns_first))


def decode_rle(rle: Rle) -> NDArray[np.bool_]:
    """The H×W mask of an RLE that has been checked."""
    mask: NDArray[np.bool_] = coco_mask.decode(to_coco(rle)).astype(bool)
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


def parse_segmentation(
    segmentation: list[list[float]] | dict[str, Any], height: int, width: int
) -> Rle:
    """Any COCO segmentation (polygons, RLE, compressed RLE) as one RLE of height×width pixels.

    Polygons are rasterised as pycocotools does it.

    Raises:
        ValueError: the segmentation is broken or of another size.
    """
    if isinstance(segmentation, dict):
        size, counts = segmentation["size"], segmentation["counts"]
        if list(size) != [height, width]:
            raise ValueError(f"a mask of {size} in an image of {[height, width]} rows and columns")
        if isinstance(counts, list):
            if sum(counts) != height * width or min(counts) < 0:
                raise ValueError("the mask's runs do not add up to the image")
            return _from_coco(coco_mask.frPyObjects(segmentation, height, width))
        text = counts.decode() if isinstance(counts, bytes) else counts
        rle = Rle((height, width), text)
        check_rle(rle, height, width)
        return rle
    try:
        return _from_coco(coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width)))
    # pycocotools raises anything, Exception itself included, for broken polygons.
    except Exception as error:
        raise ValueError(f"broken polygons ({error})") from None


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


def _from_coco(rle: dict[str, Any]) -> Rle:
    height, width = rle["size"]
    return Rle((height, width), rle["counts"].decode())
