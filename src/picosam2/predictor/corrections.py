"""What comes after the first look: further clicks, and masks to correct.

A correcting network sees crops fitted to the mask before and the clicks. Two promises are kept
whatever it says: a click is obeyed (a positive one is in the mask, a negative one is not), and of a
mask that was given pixel by pixel only the regions around the clicks change (the progressive merge
of FocalClick, Chen et al. 2022, arXiv 2204.02574, section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from picosam2.masks import mask_extent
from picosam2.predictor.boxes import box_bounds
from picosam2.predictor.config import PredictorConfig
from picosam2.predictor.prior import CLICK_RADIUS, make_prior
from picosam2.predictor.prompts import Click, GivenMask, Prompt
from picosam2.predictor.readings import Before, Extent, Merge, Reading, extent
from picosam2.prompt import CROP_SIZE, Crop, click_crops, look_up, paste_mask

# Logits that a click's surroundings get where the network does not obey it.
SURE = 4.0


def correction_crops(
    before: Before,
    clicks: Sequence[Click],
    size: tuple[int, int],
    config: PredictorConfig,
    count: int,
) -> list[Crop]:
    """The crops in which a mask is corrected: fitted to it and to the clicks.

    Args:
        before: the mask before.
        clicks: all so far, in the image's pixels.
        size: H, W of the image.
        config: how.
        count: masks that are wanted.
    """
    found = extent_of(before, size)
    # What is not the object matters where it was taken for it, which is inside the mask before.
    points = [(click.x, click.y) for click in clicks if click.positive or click is clicks[-1]]
    if found is None and not points:
        points = [(size[1] / 2, size[0] / 2)]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if found is not None:
        xs += [found[0], found[2]]
        ys += [found[1], found[3]]
    x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    longer = max(max(xs) - min(xs), max(ys) - min(ys))
    if found is None:
        # Nothing says how large the object is.
        longer = max(longer, max(size) * config.click_sides[len(config.click_sides) // 2])
    margins = config.correction_margins[:count]
    return click_crops(x, y, [max(config.min_side, margin * longer) for margin in margins])


def prior_in(
    before: Before, clicks: Sequence[Click], crop: Crop, size: tuple[int, int]
) -> NDArray[np.int8]:
    """What the network is shown beside the photograph's crop: 96×96×2, see ``make_prior``."""
    return make_prior(
        mask_in(before, crop, size),
        [(*in_crop(click, crop, CROP_SIZE), click.positive) for click in clicks],
        CROP_SIZE,
    )


def mask_in(before: Before, crop: Crop, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask before, in the pixels of a crop: 96×96 bool."""
    if isinstance(before, GivenMask):
        return look_up(before.picture, crop, size) > 0
    return paste_mask(before.logits, before.crop.within(crop, CROP_SIZE), (CROP_SIZE, CROP_SIZE))


def read_correction(
    prompt: Prompt,
    before: Before,
    clicks: Sequence[Click],
    crop: Crop,
    logits: NDArray[np.float32],
    score: float,
    size: tuple[int, int],
    config: PredictorConfig,
) -> Reading:
    """The network's answer, made to keep the promises.

    Args:
        prompt: what was asked.
        before: the mask before.
        clicks: all so far, in the image's pixels.
        crop: what the network was shown.
        logits: S×S float32, as the network gave them.
        score: its predicted IoU in 0..1.
        size: H, W of the image in pixels.
        config: how.
    """
    logits = obey(logits, crop, clicks)
    if isinstance(before, Reading):
        bounds = before.bounds
    else:
        bounds = None if prompt.within is None else box_bounds(prompt.within, config.box)
    if bounds is not None and not all(_inside(click, bounds) for click in clicks):
        bounds = None
    reading = Reading(crop, logits, score if (logits > 0).any() else 0.0, bounds, tuple(clicks))
    if isinstance(before, GivenMask) and before.is_final and clicks:
        changes = merge(mask_in(before, crop, size), logits, crop, clicks, config.correction_sure)
        return replace(reading, merge=Merge(before, *changes))
    return reading


def obey(logits: NDArray[np.float32], crop: Crop, clicks: Sequence[Click]) -> NDArray[np.float32]:
    """Logits that have every click's sign around it, where the network's have not.

    A negative click in a part of the mask that holds no positive one takes that part away; else a
    disc of the clicks' size changes. Later clicks count more.

    Args:
        logits: S×S float32.
        crop: of the image.
        clicks: in the image's pixels.
    """
    size = len(logits)
    result = logits.copy()
    cells = [(click, _cell(click, crop, size)) for click in clicks]
    for click, cell in cells:
        if cell is None or (result[cell] > 0) == click.positive:
            continue
        disc = _disc(click, crop, size)
        if not click.positive:
            labels, _ = ndimage.label(result > 0)
            part = labels == labels[cell]
            if not any(other.positive and place and part[place] for other, place in cells):
                disc |= part
        result[disc] = np.abs(result[disc]).clip(SURE) * (1 if click.positive else -1)
    return result


def merge(
    before: NDArray[np.bool_],
    logits: NDArray[np.float32],
    crop: Crop,
    clicks: Sequence[Click],
    least: float,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pixels the clicks add and which they take away; all others stay as they were.

    A change is connected to its click through pixels that the network is sure of, or that are the
    click's own: what it doubts (outlines, above all) would join regions that nobody clicked on.

    Args:
        before: S×S bool, the mask before in the crop.
        logits: S×S float32, the network's, made to obey.
        crop: of the image.
        clicks: in the image's pixels.
        least: logits farther from 0 are sure.

    Returns:
        Two S×S bool.
    """
    added, removed = np.zeros_like(before), np.zeros_like(before)
    size, changed = len(logits), (logits > 0) != before
    sure = np.abs(logits) > least
    for click in clicks:
        cell = _cell(click, crop, size)
        if cell is None:
            continue
        wanted = changed & (before != click.positive) & (sure | _disc(click, crop, size))
        labels, _ = ndimage.label(wanted)
        row, column = cell
        around = labels[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        result = added if click.positive else removed
        result |= np.isin(labels, around[around > 0])
    return added, removed


def in_crop(click: Click, crop: Crop, size: int) -> tuple[float, float]:
    """X and y of a click in the pixels of a crop shown at size×size."""
    scale = size / crop.side
    return (click.x - crop.left) * scale, (click.y - crop.top) * scale


def _disc(click: Click, crop: Crop, size: int) -> NDArray[np.bool_]:
    """The pixels that are the click's own in a crop shown at size×size."""
    # A pixel of the image may be wider than the disc.
    radius = max(CLICK_RADIUS, 1.5 * size / crop.side)
    x, y = in_crop(click, crop, size)
    centres = np.arange(size) + 0.5
    disc: NDArray[np.bool_] = (centres - x) ** 2 + (centres[:, None] - y) ** 2 <= radius**2
    return disc


def _cell(click: Click, crop: Crop, size: int) -> tuple[int, int] | None:
    """Row and column of a click in a crop shown at size×size; None beside it."""
    x, y = in_crop(click, crop, size)
    row, column = math.floor(y), math.floor(x)
    return (row, column) if 0 <= row < size and 0 <= column < size else None


def _inside(click: Click, bounds: Sequence[float]) -> bool:
    """Whether a positive click lies within the bounds; a negative one may lie anywhere."""
    x0, y0, x1, y1 = bounds
    return not click.positive or (x0 <= click.x < x1 and y0 <= click.y < y1)


def extent_of(before: Before, size: tuple[int, int]) -> Extent | None:
    """x0, y0, x1, y1 of a mask in the pixels of an H×W image; None where it is empty."""
    if isinstance(before, Reading):
        return extent(before)
    found = mask_extent(before.picture > 0)
    if found is None:
        return None
    x0, y0, x1, y1 = found
    down, across = (full / n for full, n in zip(size, before.picture.shape, strict=True))
    return x0 * across, y0 * down, x1 * across, y1 * down
