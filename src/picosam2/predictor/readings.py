"""What is made of the network's answer to one crop: which pixels, and how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from picosam2.masks import keep_touching, mask_extent, mask_iou
from picosam2.predictor.boxes import BoxConfig, box_bounds, fit_to_box, halfway_box, in_crop
from picosam2.predictor.prompts import Click, GivenMask
from picosam2.predictor.scores import ScoreModel, box_evidence, click_evidence, crop_border
from picosam2.prompt import Crop, paste_mask

# Two readings of a prompt whose masks agree more than this are one reading.
SAME_READING_IOU = 0.8


Extent = tuple[float, float, float, float]


@dataclass(frozen=True)
class Merge:
    """What of a given mask changes.

    Args:
        mask: H×W bool of the whole image.
        added: S×S bool, what of the crop becomes object where the logits say so.
        removed: S×S bool, what of it ceases to be.
    """

    mask: GivenMask
    added: NDArray[np.bool_]
    removed: NDArray[np.bool_]


@dataclass(frozen=True)
class Reading:
    """One answer to a prompt.

    Args:
        crop: where it was looked at.
        logits: S×S float32 of the crop, above 0 is object.
        score: predicted IoU in 0..1.
        bounds: x0, y0, x1, y1 in the image's pixels that the mask keeps to; None for none.
        clicks: that its pixels obey.
        merge: the mask that it changes in part; None where it is the whole answer.
        halfway: x0, y0, x1, y1 in the image's pixels, where its box is careless: the box halfway to
            the network's own mask; else None.
    """

    crop: Crop
    logits: NDArray[np.float32]
    score: float
    bounds: tuple[float, ...] | None = None
    clicks: tuple[Click, ...] = ()
    merge: Merge | None = None
    halfway: Extent | None = None


# The mask before a correction.
Before = Reading | GivenMask


def read_click(crop: Crop, logits: NDArray[np.float32], score: float, model: ScoreModel) -> Reading:
    """The network's answer to a crop around a click.

    Args:
        crop: what the network was shown.
        logits: S×S float32, as the network gave them.
        score: its predicted IoU in 0..1.
        model: gives the IoU to expect.
    """
    return Reading(crop, logits, _expected(logits, click_evidence(logits, score), model))


def read_box(
    crop: Crop,
    logits: NDArray[np.float32],
    score: float,
    box: tuple[float, ...],
    config: BoxConfig,
    model: ScoreModel,
) -> Reading:
    """The network's answer to a crop around a box (xyxy in the image's pixels), fitted to it.

    The other arguments are those of :func:`read_click`.
    """
    inner = in_crop(box, crop, len(logits))
    fitted = fit_to_box(logits, inner, config)
    evidence = box_evidence(logits, fitted, score, inner)
    halfway = halfway_box(logits, inner, config)
    return Reading(
        crop,
        fitted,
        _expected(fitted, evidence, model),
        box_bounds(box, config),
        halfway=None if halfway is None else _in_image(halfway, crop, len(logits)),
    )


def _expected(
    logits: NDArray[np.float32], evidence: NDArray[np.float64], model: ScoreModel
) -> float:
    """The IoU to expect; an empty mask has none."""
    return model(evidence) if (logits > 0).any() else 0.0


def keep_component(reading: Reading, x: float, y: float) -> Reading:
    """Drop what is not connected to the object under a click (in the image's pixels)."""
    logits = reading.logits
    size = len(logits)
    column = int((x - reading.crop.left) * size / reading.crop.side)
    row = int((y - reading.crop.top) * size / reading.crop.side)
    if not (0 <= row < size and 0 <= column < size) or logits[row, column] <= 0:
        return reading
    here = (slice(row, row + 1), slice(column, column + 1))
    return replace(reading, logits=keep_touching(logits, here))


def different(readings: list[Reading], count: int) -> list[Reading]:
    """The first ``count`` readings whose masks differ from those before them."""
    chosen: list[Reading] = []
    for reading in readings:
        if all(_overlap(reading, other) <= SAME_READING_IOU for other in chosen):
            chosen.append(reading)
    return chosen[:count]


def _overlap(a: Reading, b: Reading) -> float:
    """IoU of two readings, on the pixels of the larger crop."""
    small, large = sorted((a, b), key=lambda r: r.crop.side)
    size = len(large.logits)
    shown = paste_mask(small.logits, small.crop.within(large.crop, size), (size, size))
    return mask_iou(shown, large.logits > 0)


def is_cut(reading: Reading) -> bool:
    """Whether the mask reaches the border of its crop, so that the object may go on beyond."""
    return bool(crop_border(reading.logits > 0).any())


def has_outline(reading: Reading) -> bool:
    """Whether the mask leaves some of its crop's border free: else it is a piece without shape."""
    return not crop_border(reading.logits > 0).all()


def extent(reading: Reading) -> Extent | None:
    """x0, y0, x1, y1 of a mask in the image's pixels; None where it is empty."""
    found = mask_extent(reading.logits > 0)
    return None if found is None else _in_image(found, reading.crop, len(reading.logits))


def _in_image(box: Sequence[float], crop: Crop, size: int) -> Extent:
    """A box in the pixels of a crop shown at size×size, in those of the image."""
    x0, y0, x1, y1 = box
    scale = crop.side / size
    return (
        crop.left + x0 * scale,
        crop.top + y0 * scale,
        crop.left + x1 * scale,
        crop.top + y1 * scale,
    )


def fitted(reading: Reading, margin: float, min_side: float) -> Crop | None:
    """The crop for a second look at a mask; None where the mask is empty or fitted already.

    Args:
        reading: the first look.
        margin: side of the crop, as a multiple of the mask's longer side.
        min_side: smallest crop, in pixels.
    """
    found = extent(reading)
    if found is None:
        return None
    (x0, y0, x1, y1), crop = found, reading.crop
    side = max(min_side, margin * max(x1 - x0, y1 - y0))
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    shift = max(abs(x - crop.x), abs(y - crop.y))
    if abs(side / crop.side - 1) < 0.1 and shift < 0.05 * side:
        return None
    return Crop(x, y, side)
