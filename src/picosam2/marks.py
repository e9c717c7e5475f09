"""A box drawn on its crop, so that the network sees all of what the box says.

The crop's place tells it the box's centre and longer side alone. Marks in a photograph as prompts:
Shtedritski et al. 2023 (arXiv 2304.06712); that the surroundings are tinted is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# What is outside is half this colour: rare in photographs, and each pixel by itself says so.
TINT = (255, 0, 255)


def mark_box(pixels: NDArray[np.uint8], box: Sequence[float]) -> NDArray[np.uint8]:
    """The crop with its pixels outside the box tinted: the mean of each and magenta.

    Args:
        pixels: S×S×3 uint8 RGB.
        box: x0, y0, x1, y1 in the crop's pixels; a pixel is inside where its centre is.

    Returns:
        S×S×3 uint8; halves are rounded up.
    """
    x0, y0, x1, y1 = box
    centres = np.arange(len(pixels)) + 0.5
    columns, rows = (centres >= x0) & (centres < x1), (centres >= y0) & (centres < y1)
    tinted = (pixels.astype(np.uint16) + np.array(TINT, np.uint16) + 1) // 2
    inside = (rows[:, None] & columns)[..., None]
    result: NDArray[np.uint8] = np.where(inside, pixels, tinted.astype(np.uint8))
    return result
