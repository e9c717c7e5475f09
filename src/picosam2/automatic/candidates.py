"""What was found, kept as small crops until the end: a large photograph has hundreds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from picosam2.data.rle import encode_window
from picosam2.data.schema import Rle
from picosam2.predictor.readings import Reading, extent
from picosam2.predictor.scores import stability
from picosam2.prompt import Crop, paste_mask

# Most of a crop's border that a mask may cover: more is a square out of a background. On coco-dev
# a quarter fewer masks then have the same average recall (17.2).
MOST_CUT = 0.2
# Logits are kept in steps of 1/16, from −8 to 8: a quarter of float32.
STEPS = 16


@dataclass(frozen=True)
class Candidate:
    """A mask in its crop.

    Args:
        crop: where it was looked at, in the image's pixels.
        logits: S×S int8, above 0 is object, in 1/16.
        score: predicted IoU in 0..1.
        stability: SAM's stability score in 0..1.
        box: x0, y0, x1, y1 of its pixels in the image, to a pixel of the crop.
        point: x and y of the click in the image's pixels.
        window: x0, y0, x1, y1 of the part of the image that was searched.
    """

    crop: Crop
    logits: NDArray[np.int8]
    score: float
    stability: float
    box: tuple[float, float, float, float]
    point: tuple[float, float]
    window: tuple[int, int, int, int]

    def to_rle(self, size: tuple[int, int], min_region: int) -> Rle:
        """The mask in an H×W image.

        Args:
            size: H, W in pixels.
            min_region: holes and islands of fewer pixels are filled and removed.
        """
        height, width = size
        x0, y0 = max(0, int(self.crop.left)), max(0, int(self.crop.top))
        x1 = min(width, int(np.ceil(self.crop.left + self.crop.side)))
        y1 = min(height, int(np.ceil(self.crop.top + self.crop.side)))
        inner = Crop(self.crop.x - x0, self.crop.y - y0, self.crop.side)
        logits = self.logits.astype(np.float32) / np.float32(STEPS)
        mask = paste_mask(logits, inner, (y1 - y0, x1 - x0))
        if min_region:
            mask = without_small_regions(mask, min_region)
        return encode_window(mask, (x0, y0), size)


def make_candidate(
    reading: Reading, offset: float, window: tuple[int, int, int, int]
) -> Candidate | None:
    """A candidate of a reading of the window; None where its mask is empty.

    Args:
        reading: its crop is in the window's pixels.
        offset: of SAM's stability score, in logits.
        window: where it lies in the image.
    """
    x, y, *_ = window
    crop = Crop(reading.crop.x + x, reading.crop.y + y, reading.crop.side)
    box = extent(replace(reading, crop=crop))
    if box is None:
        return None
    return Candidate(
        crop,
        np.rint(reading.logits * STEPS).clip(-128, 127).astype(np.int8),
        reading.score,
        stability(reading.logits, offset),
        box,
        (crop.x, crop.y),
        window,
    )


def is_square(reading: Reading, size: tuple[int, int]) -> bool:
    """Whether the crop's border gives a mask its shape; what ends with the image is not cut.

    Args:
        reading: its crop is in the image's pixels.
        size: H, W of the image.
    """
    mask, crop = reading.logits > 0, reading.crop
    height, width = size
    scale = crop.side / len(mask)
    centres = (np.arange(len(mask)) + 0.5) * scale
    columns = (crop.left + centres >= 0) & (crop.left + centres < width)
    rows = (crop.top + centres >= 0) & (crop.top + centres < height)
    borders = (
        (crop.top > scale / 2, mask[0, columns]),
        (crop.top + crop.side < height - scale / 2, mask[-1, columns]),
        (crop.left > scale / 2, mask[rows, 0]),
        (crop.left + crop.side < width - scale / 2, mask[rows, -1]),
    )
    cut = [border for inside, border in borders if inside]
    return bool(cut) and bool(np.concatenate(cut).mean() > MOST_CUT)


def without_small_regions(mask: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """A mask whose holes and islands have at least ``least`` pixels; one island always stays."""
    holes, count = ndimage.label(~mask)
    sizes = np.bincount(holes.ravel(), minlength=count + 1)
    mask = mask | ((sizes < least)[holes] & (holes > 0))
    islands, count = ndimage.label(mask)
    sizes = np.bincount(islands.ravel(), minlength=count + 1)
    sizes[0] = 0
    large = sizes >= least
    if not large.any():
        large[sizes.argmax()] = True
    kept: NDArray[np.bool_] = large[islands] & mask
    return kept
