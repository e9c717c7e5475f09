"""What a box says about its mask, though the network sees only a square crop around it.

The crop tells the network the box's centre and longer side. That the object ends at all four sides
is used here, on the logits, and on the pixels where these are finer. An addition to PicoSAM2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.masks import mask_extent
from picosam2.prompt import Crop


@dataclass(frozen=True)
class BoxConfig:
    """How a mask is fitted to its box; the defaults were chosen on ``coco-dev``.

    Args:
        slope: what logits lose outside the box, for each length of the box they are away from it:
            drawn boxes are not exact.
        deepest: the most they lose.
        shifts: added to all logits, whichever fills the box best.
        shift_cost: overlap with the box (IoU) that a shift by 1 must gain.
        margin: how far the mask may reach beyond the box on each side, in lengths of the box;
            a pixel of the image is added.
        careless: a box that overlaps the bounding box of the network's own mask less (IoU) is
            looked at again, moved halfway to it; 0 for never.
        most_moved: the most that each of its sides then moves, in lengths of the box.
    """

    slope: float = 80.0
    deepest: float = 8.0
    shifts: tuple[float, ...] = tuple(step / 2 for step in range(-4, 9))
    shift_cost: float = 0.03
    margin: float = 0.1
    careless: float = 0.0
    most_moved: float = 0.15


# Of masks of a network that is shown the box: it knows better, and a careless box is worse.
MARKED = BoxConfig(slope=20.0, shift_cost=0.05, careless=0.8)


def fit_to_box(
    logits: NDArray[np.float32], box: Sequence[float], config: BoxConfig | None = None
) -> NDArray[np.float32]:
    """Logits of a mask that ends where the box does.

    Args:
        logits: S×S float32 of a crop, above 0 is object.
        box: x0, y0, x1, y1 in the crop's pixels (0..S inside it), x0 ≤ x1 and y0 ≤ y1.
        config: how.

    Returns:
        S×S float32: lowered outside the box, and shifted as a whole so that the mask's bounding box
        overlaps it best.
    """
    config = config or BoxConfig()
    x0, y0, x1, y1 = box
    beyond = _beyond(y0, y1, len(logits))[:, None] + _beyond(x0, x1, len(logits))
    lowered = logits - np.minimum(config.slope * beyond, config.deepest).astype(np.float32)
    shifts = np.array(config.shifts, np.float32)
    shifted = lowered + shifts[:, None, None]
    gains = _overlaps(shifted > 0, box) - config.shift_cost * np.abs(shifts)
    best: NDArray[np.float32] = shifted[np.argmax(gains)]
    return best.copy()


def box_bounds(box: Sequence[float], config: BoxConfig) -> tuple[float, ...]:
    """The x0, y0, x1, y1 that a mask keeps to, in the image's pixels.

    For long boxes a pixel of the crop is wider than that: their mask ends inside one.
    """
    x0, y0, x1, y1 = box
    across, down = config.margin * (x1 - x0) + 1, config.margin * (y1 - y0) + 1
    return x0 - across, y0 - down, x1 + across, y1 + down


def halfway_box(
    logits: NDArray[np.float32], box: Sequence[float], config: BoxConfig
) -> tuple[float, ...] | None:
    """Where a careless box may rather be: halfway to the bounding box of the network's own mask.

    Args:
        logits: S×S float32 of a crop, as the network gave them.
        box: x0, y0, x1, y1 in the crop's pixels.
        config: which boxes are careless.

    Returns:
        x0, y0, x1, y1 in the crop's pixels; None where the box is not careless, or the mask empty.
    """
    own = mask_extent(logits > 0)
    if own is None or box_overlap(logits, box) >= config.careless:
        return None
    x0, y0, x1, y1 = box
    most = config.most_moved * np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
    moved = np.array(box) + ((np.array(own) - np.array(box)) / 2).clip(-most, most)
    return tuple(moved.tolist())


def keep_within(
    picture: NDArray[Any], bounds: Sequence[float], image_size: tuple[int, int], outside: float
) -> None:
    """Overwrite what lies outside the bounds, in place.

    Args:
        picture: h×w, of the whole image.
        bounds: x0, y0, x1, y1 in the image's pixels; a pixel is inside where its centre is.
        image_size: H, W of the image in pixels.
        outside: what is written.
    """
    x0, y0, x1, y1 = bounds
    scale_y, scale_x = (n / full for n, full in zip(picture.shape, image_size, strict=True))
    top, bottom = _inside(y0 * scale_y, y1 * scale_y, picture.shape[0])
    left, right = _inside(x0 * scale_x, x1 * scale_x, picture.shape[1])
    picture[:top] = picture[bottom:] = outside
    picture[top:bottom, :left] = picture[top:bottom, right:] = outside


def _inside(low: float, high: float, size: int) -> tuple[int, int]:
    """First pixel with its centre in [low, high), and the one after the last; one at least."""
    first, after = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if after <= first:
        first = math.floor((low + high) / 2)
        after = first + 1
    return min(max(first, 0), size), min(max(after, 0), size)


def in_crop(box: Sequence[float], crop: Crop, size: int) -> tuple[float, ...]:
    """A box of the image (xyxy) in the pixels of a crop shown at size×size.

    As for :func:`picosam2.prompt.box_crop`, sides shorter than a pixel of the image count as one.
    """
    x0, y0, x1, y1 = box
    scale = size / crop.side
    (left, right), (top, bottom) = (
        ((middle - length / 2), (middle + length / 2))
        for middle, length in (((x0 + x1) / 2, max(1, x1 - x0)), ((y0 + y1) / 2, max(1, y1 - y0)))
    )
    return (
        (left - crop.left) * scale,
        (top - crop.top) * scale,
        (right - crop.left) * scale,
        (bottom - crop.top) * scale,
    )


def box_overlap(logits: NDArray[np.float32], box: Sequence[float]) -> float:
    """IoU in 0..1 of the mask's bounding box with ``box``, both in the crop's pixels."""
    return float(_overlaps(logits[None] > 0, box)[0])


def _overlaps(masks: NDArray[np.bool_], box: Sequence[float]) -> NDArray[np.float64]:
    """N of them at once, for N×S×S masks; 0 where a mask is empty."""
    size = masks.shape[-1]
    shared, own = np.ones(len(masks)), np.ones(len(masks))
    for axis, (low, high) in ((1, (box[0], box[2])), (2, (box[1], box[3]))):
        touched = np.any(masks, axis=axis)
        first, after = touched.argmax(axis=1), size - touched[:, ::-1].argmax(axis=1)
        shared *= (np.minimum(high, after) - np.maximum(low, first)).clip(0)
        own *= after - first
    x0, y0, x1, y1 = box
    result: NDArray[np.float64] = shared / (own + (x1 - x0) * (y1 - y0) - shared)
    return result * masks.any(axis=(1, 2))


def _beyond(low: float, high: float, size: int) -> NDArray[np.float64]:
    """How far each of ``size`` pixels lies outside an interval, in lengths of the interval.

    An interval shorter than a pixel counts as one.
    """
    centres = np.arange(size) + 0.5
    middle, length = (low + high) / 2, max(1.0, high - low)
    distance: NDArray[np.float64] = (np.abs(centres - middle) - length / 2).clip(0)
    return distance / length
