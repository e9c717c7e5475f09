"""Crops that show a quantiser what the network will see."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from picosam2.damage import Damage
from picosam2.data.photograph import Photograph
from picosam2.data.schema import Annotation
from picosam2.data.source import Source, leave_out_damaged
from picosam2.errors import InputError
from picosam2.export.artefact import Samples
from picosam2.masks import most_interior_pixel, next_click
from picosam2.predictor.looks import show
from picosam2.predictor.prior import make_prior
from picosam2.predictor.prompts import Box, Click
from picosam2.prompt import CROP_SIZE, Crop, box_crop, look_up

# Of the masks that a correcting network is calibrated on.
MOST_DAMAGE = 0.4


def calibration_samples(
    folder: Source, count: int, seed: int, prior: bool, marks_boxes: bool
) -> Samples:
    """Native crops, box crops and clicks at random scales, a third each; or masks to correct.

    One an object; where there are fewer objects, they come again. Photographs that cannot be
    decoded are noted and taken out of the folder, as if they had never been there.

    Args:
        folder: annotated photographs.
        count: how many.
        seed: of the choice of objects, crops and damages.
        prior: whether a correcting network is to be shown them: crops of damaged masks, with up to
            three clicks.
        marks_boxes: whether the network is shown boxes drawn on their crops.

    Raises:
        InputError: the folder has no annotated object, or something is broken and its ``problems``
            are strict.
    """
    rng, chosen = _choose(folder, count, seed)
    while leave_out_damaged(folder, {id(p): p for p, _ in chosen}.values()):
        rng, chosen = _choose(folder, count, seed)
    crops, priors = [], []
    for rank, (photograph, annotation) in enumerate(chosen):
        x, y, width, height = annotation.bbox
        column, row = most_interior_pixel(photograph.mask(annotation))
        scaled = max(width, height) / np.exp(rng.uniform(np.log(0.25), np.log(1.25)))
        box = Box((x, y, x + width, y + height))
        crop = (
            Crop(column, row, CROP_SIZE * photograph.native_scale),
            box_crop(box.corners),
            Crop(column + 0.5, row + 0.5, max(scaled, 16)),
        )[rank % 3]
        if prior:
            crop = box_crop(box.corners, rng.uniform(0.05, 1.0))
            priors.append(_draw_prior(photograph.mask(annotation), crop, rng))
        prompt = box if rank % 3 == 1 else Click(crop.x, crop.y)
        crops.append(show(photograph.load(), prompt, crop, marks_boxes))
    return Samples(np.stack(crops), np.stack(priors) if prior else None)


def _draw_prior(mask: NDArray[np.bool_], crop: Crop, rng: np.random.Generator) -> NDArray[np.int8]:
    """A damaged mask of an object in its crop, and clicks in what is wrong with it: 96×96×2."""
    truth = look_up(mask, crop, (mask.shape[0], mask.shape[1])) > 0
    if not truth.any():
        return make_prior(None, [], CROP_SIZE)
    before = Damage.draw(rng).apply(truth, rng.uniform(0, MOST_DAMAGE))
    x, y = most_interior_pixel(truth)
    clicks = [(x + 0.5, y + 0.5, True)]
    shown = before.copy()
    for _ in range(rng.integers(3)):
        click = next_click(shown, truth)
        if click is None:
            break
        clicks.append(click)
        # The next one goes elsewhere.
        shown[math.floor(click[1]) :, math.floor(click[0]) :] = truth[
            math.floor(click[1]) :, math.floor(click[0]) :
        ]
    return make_prior(before, clicks, CROP_SIZE)


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
