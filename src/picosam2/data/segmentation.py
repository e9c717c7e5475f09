"""COCO's segmentations (polygons, runs, compressed runs) as checked RLE, however broken they are.

pycocotools trusts its input: a coordinate that is no number, or far away, is a crash or all of the
memory. Nothing reaches it here that costs more than the photograph is large.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from picosam2.data.problems import BrokenError, Kind
from picosam2.data.rle import check_rle, rle_from_coco
from picosam2.data.schema import Rle

# Pixels; beyond, pycocotools' integers overflow.
MAX_COORDINATE = 1e7
# pycocotools holds about 120 bytes for a pixel's length of outline.
MAX_OUTLINE = 1_000_000


def parse_segmentation(segmentation: Any, height: int, width: int) -> Rle:
    """Any COCO segmentation as one RLE of height×width pixels.

    Polygons are rasterised as pycocotools does it; they may reach beyond the photograph. All parts
    of a polygon must be whole: an object of which one part is broken is not the object.

    Raises:
        BrokenError: it is none of COCO's, of another size, has coordinates that are no numbers or
            no place, a part of less than three points, or an outline longer than any object's.
    """
    try:
        if isinstance(segmentation, dict):
            return _parse_runs(segmentation, height, width)
        return _rasterise(segmentation, height, width)
    except BrokenError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = error if isinstance(error, ValueError) else repr(error)
        raise BrokenError(Kind.SEGMENTATION, reason) from None


def _parse_runs(segmentation: dict[str, Any], height: int, width: int) -> Rle:
    size, counts = segmentation["size"], segmentation["counts"]
    if not isinstance(size, list) or size != [height, width]:
        raise ValueError(f"a mask of {size} in an image of {[height, width]} rows and columns")
    if isinstance(counts, list):
        runs = [_pixels(run) for run in counts]
        if sum(runs) != height * width:
            raise ValueError("the mask's runs do not add up to the image")
        whole = {"size": [height, width], "counts": runs}
        return rle_from_coco(coco_mask.frPyObjects(whole, height, width))
    if not isinstance(counts, str):
        raise ValueError(f"the mask's runs are {type(counts).__name__}, not a list or text")
    rle = Rle((height, width), counts)
    check_rle(rle, height, width)
    return rle


def _pixels(run: Any) -> int:
    """The length of a run; some tools write whole numbers as 10.0."""
    # bool is a kind of int, but no number of pixels.
    if type(run) not in (int, float) or run < 0 or run % 1 != 0:
        raise ValueError(f"the mask's runs have {run!r:.40}, which is no number of pixels")
    return int(run)


def _rasterise(polygons: Any, height: int, width: int) -> Rle:
    if not isinstance(polygons, list):
        raise ValueError(f"{type(polygons).__name__} is neither polygons nor runs")
    if not polygons:
        raise ValueError("its polygon has no part")
    parts = [_part(part, number) for number, part in enumerate(polygons, start=1)]
    outline = sum(float(np.abs(np.diff(p, axis=0, append=p[:1])).max(1).sum()) for p in parts)
    # Beside what an object may have, a box round the photograph and its surroundings.
    longest = min(height * width, MAX_OUTLINE) + 4 * (height + width)
    if outline > longest:
        raise ValueError(
            f"an outline of {outline:.0f} pixels is too long for {width}×{height} pixels"
        )
    flat = [part.ravel().tolist() for part in parts]
    return rle_from_coco(coco_mask.merge(coco_mask.frPyObjects(flat, height, width)))


def _part(part: Any, number: int) -> NDArray[np.float64]:
    """N×2 float64, x and y of one polygon."""
    if not isinstance(part, list):
        raise ValueError(f"part {number} of its polygon is {part!r:.40}, not a list of coordinates")
    if len(part) < 6 or len(part) % 2:
        raise ValueError(
            f"part {number} of its polygon has {len(part)} coordinates: no three points"
        )
    # bool is a kind of int, but no coordinate.
    if not all(type(value) in (int, float) for value in part):
        raise ValueError(f"part {number} of its polygon has coordinates that are no numbers")
    points = np.array(part, np.float64).reshape(-1, 2)
    # Not a number is no place either.
    if not (np.abs(points) < MAX_COORDINATE).all():
        worst = points.ravel()[np.argmin(np.abs(points) < MAX_COORDINATE)]
        raise ValueError(f"part {number} of its polygon has the coordinate {worst:g}")
    return points
