"""Which crops are looked at for a prompt, and which of the answers count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from picosam2.marks import mark_box
from picosam2.predictor.boxes import in_crop
from picosam2.predictor.config import PredictorConfig
from picosam2.predictor.prompts import Box, Click
from picosam2.predictor.readings import (
    Reading,
    different,
    fitted,
    has_outline,
    is_cut,
    keep_component,
)
from picosam2.prompt import Crop, box_crop, click_crops, cut

# What the network is asked, and the crop that it is shown.
Look = tuple[Click | Box, Crop]


def first_looks(
    prompt: Click | Box, size: tuple[int, int], config: PredictorConfig, count: int
) -> list[Look]:
    """The first looks: all scales of a click; one for each wanted mask of a box.

    Args:
        prompt: in the image's pixels.
        size: H, W of the image.
        config: how.
        count: masks that are wanted.
    """
    if isinstance(prompt, Box):
        paddings = config.box_paddings[:count]
        return [(prompt, box_crop(prompt.corners, padding)) for padding in paddings]
    sides = {max(config.min_side, max(size) * share) for share in config.click_sides}
    return [(prompt, crop) for crop in click_crops(prompt.x, prompt.y, sorted(sides))]


def choose(
    prompt: Click | Box, readings: Sequence[Reading], config: PredictorConfig, count: int
) -> list[Reading]:
    """Up to ``count`` readings that differ, the best first: the same one whatever ``count`` is.

    Args:
        prompt: what was asked.
        readings: of :func:`first_looks`, in their order.
        config: how.
        count: masks that are wanted.
    """
    if isinstance(prompt, Box):
        first, *others = readings
        return different([first, *by_score(others)], count)
    # A crop that is all object shows a piece of it and no shape: where all are, the widest counts.
    ranked = [reading for reading in by_score(readings) if has_outline(reading)] or readings[::-1]
    # One look at the masks is enough where only the best is asked for.
    ranked = ranked if count > 1 else ranked[:1]
    return different([one_component(prompt, reading, config) for reading in ranked], count)


def show(
    image: NDArray[np.uint8], prompt: Click | Box, crop: Crop, marks_boxes: bool
) -> NDArray[np.uint8]:
    """What the network is shown: 96×96×3 uint8.

    Args:
        image: H×W×3 uint8.
        prompt: in the image's pixels.
        crop: one of its crops.
        marks_boxes: whether a box is drawn on its crop.
    """
    pixels = cut(image, crop)
    if marks_boxes and isinstance(prompt, Box):
        return mark_box(pixels, in_crop(prompt.corners, crop, len(pixels)))
    return pixels


def second_looks(
    prompt: Click | Box, readings: Sequence[Reading], config: PredictorConfig
) -> list[Look | None]:
    """For each reading a second look at what it shows; None where there is none.

    After a click the mask is looked at again where its crop cuts it off. Of a box that is careless
    the best mask is, with the box halfway to the one that the mask has by itself.
    """
    if isinstance(prompt, Box):
        best, *others = readings
        return [_look_halfway(best, config), *[None] * len(others)]
    if config.refine == "never":
        return [None] * len(readings)
    crops = (
        fitted(
            reading,
            config.refine_margin if has_outline(reading) else config.widening,
            config.min_side,
        )
        if config.refine == "always" or is_cut(reading)
        else None
        for reading in readings
    )
    return [None if crop is None else (prompt, crop) for crop in crops]


def _look_halfway(reading: Reading, config: PredictorConfig) -> Look | None:
    if reading.halfway is None:
        return None
    return Box(reading.halfway), box_crop(reading.halfway, config.box_paddings[0])


def one_component(prompt: Click | Box, reading: Reading, config: PredictorConfig) -> Reading:
    """A click's reading without what is not connected to the object under it."""
    if isinstance(prompt, Click) and config.component:
        return keep_component(reading, prompt.x, prompt.y)
    return reading


def by_score(readings: Sequence[Reading]) -> list[Reading]:
    """The best first."""
    return sorted(readings, key=lambda reading: -reading.score)
