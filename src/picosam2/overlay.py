"""Pictures of masks that one would show to a colleague."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

COLOUR = (64, 224, 255)
MAX_SIDE = 4096


def draw_overlay(
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    point: Sequence[float] | None = None,
    box: Sequence[float] | None = None,
    colour: tuple[int, int, int] = COLOUR,
) -> Image.Image:
    """The photograph, dimmed around the mask, with the mask tinted and outlined and the prompt.

    Large photographs are reduced to ``MAX_SIDE`` pixels.

    Args:
        image: H×W×3 uint8 RGB.
        mask: H×W bool.
        point: x, y of a click in pixels.
        box: x0, y0, x1, y1 in pixels.
        colour: RGB of the mask.
    """
    scale = min(1.0, MAX_SIDE / max(image.shape[:2]))
    if scale < 1:
        size = tuple(max(1, round(n * scale)) for n in image.shape[1::-1])
        image = np.asarray(Image.fromarray(image).resize(size, reducing_gap=2.0))
        mask = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
        point, box = ([n * scale for n in p] if p is not None else None for p in (point, box))
    longer = max(image.shape[:2])
    line = max(1, round(longer / 400))
    tinted = image.astype(np.float32)
    tinted[~mask] *= 0.55
    tinted[mask] = 0.72 * tinted[mask] + 0.28 * np.array(colour, np.float32)
    grown = ndimage.binary_dilation(mask, iterations=line)
    shrunk = ndimage.binary_erosion(mask, iterations=line, border_value=1)
    tinted[grown & ~shrunk] = colour
    picture = Image.fromarray(np.rint(tinted).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    if box is not None:
        draw.rectangle(tuple(box), outline="white", width=line)
    if point is not None:
        radius = max(3, longer / 90)
        x, y = point
        outer = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(outer, fill=(255, 64, 64), outline="white", width=max(1, round(radius / 3)))
    return picture
