"""Crops that show a quantiser what the network will see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from picosam2.data.photograph import Photograph
from picosam2.data.schema import Annotation
from picosam2.data.source import Source, leave_out_damaged
from picosam2.errors import InputError
from picosam2.masks import most_interior_pixel
from picosam2.prompt import CROP_SIZE, Crop, box_crop, cut


def calibration_crops(folder: Source, count: int, seed: int) -> NDArray[np.uint8]:
    """Native crops, box crops and clicks at random scales, a third each.

    One an object; where there are fewer objects, they come again. Photographs that cannot be
    decoded are noted and taken out of the folder, as if they had never been there.

    Returns:
        count×96×96×3 uint8 RGB.

    Raises:
        InputError: the folder has no annotated object, or something is broken and its ``problems``
            are strict.
    """
    rng, chosen = _choose(folder, count, seed)
    while leave_out_damaged(folder, {id(p): p for p, _ in chosen}.values()):
        rng, chosen = _choose(folder, count, seed)
    crops = []
    for rank, (photograph, annotation) in enumerate(chosen):
        x, y, width, height = annotation.bbox
        column, row = most_interior_pixel(photograph.mask(annotation))
        scaled = max(width, height) / np.exp(rng.uniform(np.log(0.25), np.log(1.25)))
        crop = (
            Crop(column, row, CROP_SIZE * photograph.native_scale),
            box_crop([x, y, x + width, y + height]),
            Crop(column + 0.5, row + 0.5, max(scaled, 16)),
        )[rank % 3]
        crops.append(cut(photograph.load(), crop))
    return np.stack(crops)


def _choose(
    folder: Source, count: int, seed: int
) -> tuple[np.random.Generator, list[tuple[Photograph, Annotation]]]:
    """The objects, and the generator that chose them."""
    rng = np.random.default_rng(seed)
    objects = [(p, a) for p in folder for a in p.objects if not a.iscrowd and min(a.bbox[2:]) >= 4]
    if not objects:
        raise InputError(f"{folder.location} has no annotated object to calibrate on")
    order = np.resize(rng.permutation(len(objects)), count)
    return rng, [objects[choice] for choice in order]
