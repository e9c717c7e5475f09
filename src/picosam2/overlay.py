"""Pictures of masks that one would show to a colleague."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

COLOUR = (64, 224, 255)
# Of clicks that are not on the object, and of those that are.
CLICK_COLOURS = ((255, 64, 64), (64, 208, 96))
MAX_SIDE = 4096
DIMMED, TINTED = 0.55, 0.72
# Of the photograph, on the way to a smaller one.
_STRIP_PIXELS = 2**20


def draw_overlay(
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    point: Sequence[float] | Sequence[Sequence[float]] | None = None,
    box: Sequence[float] | Sequence[Sequence[float]] | None = None,
    colour: tuple[int, int, int] = COLOUR,
    labels: Sequence[int] | None = None,
) -> Image.Image:
    """The photograph, dimmed around the mask, with the mask tinted and outlined and the prompt.

    Large photographs are reduced to ``MAX_SIDE`` pixels.

    Args:
        image: H×W×3 uint8 RGB.
        mask: H×W bool.
        point: x, y of a click in pixels, or N of them.
        box: x0, y0, x1, y1 in pixels, or B of them.
        colour: RGB of the mask.
        labels: 1 (on the object) or 0 of each click; 1 by default.
    """
    scale = min(1.0, MAX_SIDE / max(image.shape[:2]))
    if scale < 1:
        height, width = (max(1, round(n * scale)) for n in image.shape[:2])
        shown = _reduce(image, (width, height))
        rows, columns = (
            ((np.arange(count) + 0.5) * (full / count)).astype(np.intp)
            for count, full in zip((height, width), mask.shape, strict=True)
        )
        mask = mask[np.ix_(rows, columns)]
    else:
        shown = image.copy()
    longer = max(shown.shape[:2])
    line = max(1, round(longer / 400))
    outline = _outline(mask, line)
    values = np.arange(256)
    dimmed = np.rint(DIMMED * values).astype(np.uint8)
    for channel, of_mask in enumerate(colour):
        plane = shown[..., channel]
        tinted = np.rint(TINTED * values + (1 - TINTED) * of_mask).astype(np.uint8)
        plane[...] = np.where(mask, tinted[plane], dimmed[plane])
        plane[outline] = of_mask
    picture = Image.fromarray(shown)
    draw = ImageDraw.Draw(picture)
    boxes = np.empty((0, 4)) if box is None else scale * np.reshape(box, (-1, 4))
    for corners in boxes.tolist():
        draw.rectangle(corners, outline="white", width=line)
    points = np.empty((0, 2)) if point is None else scale * np.reshape(point, (-1, 2))
    radius = max(3, longer / 90)
    for (x, y), label in zip(points.tolist(), labels or [1] * len(points), strict=True):
        outer = (x - radius, y - radius, x + radius, y + radius)
        fill = CLICK_COLOURS[label]
        draw.ellipse(outer, fill=fill, outline="white", width=max(1, round(radius / 3)))
    return picture


def _reduce(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The image at a smaller width and height, each pixel the mean of those it covers."""
    width, height = size
    scale = len(image) / height
    step = max(1, int(_STRIP_PIXELS / (image.shape[1] * scale)))
    result = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        first, last = math.floor(top * scale), min(len(image), math.ceil(bottom * scale))
        box = (0, top * scale - first, image.shape[1], min(bottom * scale, last) - first)
        strip = Image.fromarray(image[first:last])
        reduced = strip.resize((width, bottom - top), Image.Resampling.BOX, box, 1.0)
        result[top:bottom] = np.asarray(reduced)
    return result


def _outline(mask: NDArray[np.bool_], line: int) -> NDArray[np.bool_]:
    """What lies within ``line`` pixels of the mask's edge; the image's border is none."""
    around = tuple(
        slice(max(0, part.start - line), part.stop + line)
        for part in ndimage.find_objects(mask.view(np.uint8), 1)[0] or (slice(0, 0), slice(0, 0))
    )
    grown, shrunk = (
        extreme(mask[around], size=2 * line + 1, mode="nearest")
        for extreme in (ndimage.maximum_filter, ndimage.minimum_filter)
    )
    edge = np.zeros_like(mask)
    edge[around] = grown & ~shrunk
    return edge
