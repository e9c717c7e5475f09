"""``cutout``: the object alone, with soft edges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from picosam2.formats.base import Format, Found, Photograph
from picosam2.masks import mask_extent
from picosam2.output import save_png

# Half the width of a soft edge, as a share of the photograph's longer side.
SOFTNESS = 1 / 500


class CutoutFormat(Format):
    """``PHOTO.cutout.png`` an object: RGBA of the photograph's size, black where transparent."""

    needs_logits = True

    def add(self, photo: Photograph, objects: Iterable[Found]) -> Iterator[tuple[str, Path]]:
        """Write the pictures."""
        for number, found in enumerate(objects, start=1):
            assert found.logits is not None
            path = self.target.picture(photo.name, "cutout", number)
            save_png(cut_out(photo.pixels, found.logits), path)
            yield "cutout", path


def cut_out(image: NDArray[np.uint8], logits: NDArray[np.float32]) -> Image.Image:
    """What is object, with alpha from 128 on; what is not is at most 127.

    Alpha grows linearly with the distance from the edge, which logits tell near it: divided by
    their slope. So an object of which the network is little sure is opaque inside all the same.

    Args:
        image: H×W×3 uint8 RGB.
        logits: H×W float32, above 0 is object.
    """
    result = np.zeros((*logits.shape, 4), np.uint8)
    width = max(1.0, SOFTNESS * max(logits.shape))
    found = mask_extent(logits > 0)
    if found is not None:
        x0, y0, x1, y1 = found
        beyond = math.ceil(width) + 1
        window = (
            slice(max(0, y0 - beyond), y1 + beyond),
            slice(max(0, x0 - beyond), x1 + beyond),
        )
        alpha = _alpha(logits[window], width)
        result[window][..., :3] = np.where(alpha[..., None] > 0, image[window], 0)
        result[window][..., 3] = alpha
    return Image.fromarray(result)


def _alpha(logits: NDArray[np.float32], width: float) -> NDArray[np.uint8]:
    slope = np.zeros_like(logits)
    for axis in (0, 1):
        if logits.shape[axis] > 1:
            slope += np.gradient(logits, axis=axis) ** 2
    distance = logits / np.maximum(np.sqrt(slope), np.float32(1e-6))
    alpha = np.rint(255 * np.clip(0.5 + distance / (2 * width), 0, 1))
    # Where rounding would move a pixel across the mask's edge.
    inside = logits > 0
    alpha = np.where(inside, np.maximum(alpha, 128), np.minimum(alpha, 127))
    # Logits come close to 0 elsewhere too, where the network hesitates.
    side = 2 * math.ceil(width) + 1
    alpha[ndimage.minimum_filter(inside, side)] = 255
    alpha[~ndimage.maximum_filter(inside, side)] = 0
    return alpha.astype(np.uint8)
