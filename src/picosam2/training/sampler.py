"""Which object, where the click, how large the crop: the random prompts that training sees."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from picosam2.training.objects import TrainingObjects

BOX_PADDING = 0.1
NATIVE_SIDE = 96


@dataclass(frozen=True)
class SamplerConfig:
    """How prompts are drawn.

    Args:
        native: share of samples at the paper's crop of 96 native pixels; half of them on the
            ``crop96`` protocol's centre, half on a click.
        box: share of samples cropped to a jittered box.
        marked: share of these with the box drawn on the crop (``picosam2.marks``); the rest are as
            a sensor sees them, which cannot draw.
        marked_padding: smallest and largest padding of these crops, as shares of the box's longer
            side; the others have the predictor's.
        scene: share of clicks whose crop has nothing to do with the object's size, as the
            predictor's first look at a click: they teach the predicted IoU which scale to trust.
            The rest are clicks whose crop is scaled to the object.
        fill: smallest and largest longer side of the object, as shares of the crop's side.
        scene_side: smallest and largest side of a ``scene`` crop, as shares of the photograph's
            longer side.
        box_jitter: most that a side of the box moves, as a share of the box's width or height.
        min_side: smallest crop of a click, in pixels.
        rotation: largest rotation about the prompt, in degrees.
        paste: share of crops with another object pasted over what they show (Simple Copy-Paste,
            Ghiasi et al. 2021, arXiv 2012.07177).
        paste_fill: smallest and largest longer side of that object, as shares of the crop's side.
    """

    native: float = 0.3
    box: float = 0.3
    marked: float = 0.75
    marked_padding: tuple[float, float] = (0.05, 0.35)
    scene: float = 0.25
    fill: tuple[float, float] = (0.25, 1.25)
    scene_side: tuple[float, float] = (0.06, 1.2)
    box_jitter: float = 0.3
    min_side: float = 16.0
    rotation: float = 15.0
    paste: float = 0.0
    paste_fill: tuple[float, float] = (0.15, 0.8)


@dataclass(frozen=True)
class Prompts:
    """B crops: where each lies in its photograph and how it is changed; arrays have one row a crop.

    Args:
        index: B int64, the object.
        centre: B×2 float64, x and y of the crop's centre in the photograph's pixels.
        side: B float64, the crop's side in the photograph's pixels.
        angle: B float64, the rotation about the centre in radians.
        flip: B bool, mirrored left to right.
        gain: B×3 float64, brightness of red, green and blue.
        saturation: B float64, 1 leaves colours as they are, 0 makes them grey.
        contrast: B float64, 1 leaves it as it is.
        pasted: B int64, the object that is pasted over the crop, −1 for none.
        pasted_centre: B×2 float64, as ``centre``, in the photograph of that object.
        pasted_side: B float64, as ``side``, there.
        box: B×2 float64, width and height of the box that is drawn around the crop's centre, as
            shares of its side; infinite where none is.
    """

    index: NDArray[np.int64]
    centre: NDArray[np.float64]
    side: NDArray[np.float64]
    angle: NDArray[np.float64]
    flip: NDArray[np.bool_]
    gain: NDArray[np.float64]
    saturation: NDArray[np.float64]
    contrast: NDArray[np.float64]
    pasted: NDArray[np.int64]
    pasted_centre: NDArray[np.float64]
    pasted_side: NDArray[np.float64]
    box: NDArray[np.float64]

    def part(self, rank: int, world_size: int) -> Prompts:
        """The share of one of ``world_size`` equal processes."""
        return self.rows(slice(rank, None, world_size))

    def rows(self, index: NDArray[np.intp] | slice) -> Prompts:
        """Some of them."""
        return Prompts(*(a[index] for a in vars(self).values()))

    def of_pasted(self) -> Prompts:
        """The crops of what is pasted, in the same colours, where something is."""
        rows = self.rows(np.flatnonzero(self.pasted >= 0))
        return replace(rows, index=rows.pasted, centre=rows.pasted_centre, side=rows.pasted_side)


def draw_prompts(
    objects: TrainingObjects, batch: int, rng: np.random.Generator, config: SamplerConfig
) -> Prompts:
    """Draw a batch of prompts: native crops, jittered boxes, scaled clicks; and colours."""
    index = _draw_objects(objects, batch, rng)
    extent = objects.extent[index]
    size = extent[:, 2:] - extent[:, :2]
    longer = size.max(axis=1)

    clicks = objects.clicks[index, rng.integers(objects.clicks.shape[1], size=batch)]
    fill = log_uniform(rng, *config.fill, batch)
    centre, side = clicks, np.maximum(longer / fill, config.min_side)

    kind = rng.random(batch)
    native = kind < config.native
    on_centre = native & (kind < config.native / 2)
    centre = np.where(on_centre[:, None], objects.centre[index], centre)
    side = np.where(native, NATIVE_SIDE * objects.native_scale[index], side)

    scene = (kind >= config.native) & (kind < config.native + config.scene)
    photograph = objects.image_size[objects.image_index[index]]
    scene_side = photograph.max(axis=1) * log_uniform(rng, *config.scene_side, batch)
    side = np.where(scene, np.maximum(scene_side, config.min_side), side)

    boxed = kind >= 1 - config.box
    jitter = rng.uniform(0, config.box_jitter, size=(batch, 1))
    corners = extent + rng.uniform(-1, 1, size=(batch, 4)) * jitter * np.tile(size, 2)
    # As the predictor has it, a box smaller than a pixel counts as one.
    box_size = np.maximum(corners[:, 2:] - corners[:, :2], 1.0)
    box_side = (1 + 2 * BOX_PADDING) * box_size.max(axis=1)
    centre = np.where(boxed[:, None], (corners[:, :2] + corners[:, 2:]) / 2, centre)
    side = np.where(boxed, box_side, side)

    angle = np.deg2rad(rng.uniform(-config.rotation, config.rotation, size=batch))
    flip = rng.random(batch) < 0.5
    gain = log_uniform(rng, 0.7, 1.4, (batch, 1)) * log_uniform(rng, 0.92, 1.08, (batch, 3))
    # One crop in twenty is grey.
    saturation = log_uniform(rng, 0.6, 1.6, batch) * (rng.random(batch) > 0.05)
    contrast = log_uniform(rng, 0.7, 1.4, batch)
    # What is pasted, and what is drawn on crops, comes last: without it all else is the same.
    pasted = _draw_objects(objects, batch, rng)
    pasted_extent = objects.extent[pasted]
    pasted_size = (pasted_extent[:, 2:] - pasted_extent[:, :2]).max(axis=1)
    pasted_side = pasted_size / log_uniform(rng, *config.paste_fill, batch)
    pasted_centre = (pasted_extent[:, :2] + pasted_extent[:, 2:]) / 2
    pasted_centre += rng.uniform(-0.5, 0.5, size=(batch, 2)) * pasted_side[:, None]
    pasted = np.where(rng.random(batch) < config.paste, pasted, -1)
    colours = (gain, saturation, contrast)
    box = np.full((batch, 2), np.inf)
    if config.marked:
        marked = boxed & (rng.random(batch) < config.marked)
        padding = log_uniform(rng, *config.marked_padding, batch)
        side = np.where(marked, (1 + 2 * padding) * box_size.max(axis=1), side)
        box[marked] = (box_size / side[:, None])[marked]
        # Of a turned object this would be another box.
        angle = np.where(marked, 0.0, angle)
    pasted_crop = (pasted, pasted_centre, pasted_side)
    return Prompts(index, centre, side, angle, flip, *colours, *pasted_crop, box)


def _draw_objects(
    objects: TrainingObjects, batch: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Objects, as often as their folders' shares say."""
    cumulative = objects.probability.cumsum()
    drawn = np.searchsorted(cumulative, rng.random(batch) * cumulative[-1], side="right")
    index: NDArray[np.int64] = np.minimum(drawn, len(objects) - 1)
    return index


def log_uniform(
    rng: np.random.Generator, low: float, high: float, size: int | tuple[int, ...]
) -> NDArray[np.float64]:
    """Draw from a range so that each doubling is as likely as any other."""
    return np.exp(rng.uniform(math.log(low), math.log(high), size))
