"""What a correcting network is shown beside the photograph: the mask before, and the clicks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# Radius of a click's disc in the crop's pixels.
CLICK_RADIUS = 3


def draw_click(plane: NDArray[np.int8], x: float, y: float, positive: bool) -> None:
    """Draw a click's disc over those before it, in place.

    Args:
        plane: S×S int8.
        x: column in the plane's pixels, continuous; it may lie outside.
        y: row.
        positive: whether the click is on the object (+1) or not on it (−1).
    """
    size = len(plane)
    left, top = (max(0, int(np.floor(c - CLICK_RADIUS))) for c in (x, y))
    right, bottom = (max(0, min(size, int(np.ceil(c + CLICK_RADIUS)))) for c in (x, y))
    columns, rows = np.arange(left, right) + 0.5 - x, np.arange(top, bottom) + 0.5 - y
    disc = columns**2 + rows[:, None] ** 2 <= CLICK_RADIUS**2
    plane[top:bottom, left:right][disc] = 1 if positive else -1


def make_prior(
    before: NDArray[np.bool_] | None, clicks: Iterable[tuple[float, float, bool]], size: int
) -> NDArray[np.int8]:
    """The two planes of one crop.

    Args:
        before: S×S bool, the mask before; None where nothing is known.
        clicks: x and y in the crop's pixels, and whether on the object; later ones cover earlier.
        size: S, the crop's side in pixels.

    Returns:
        S×S×2 int8: the mask before (+1 object, −1 none, 0 unknown) and the clicks (+1, −1, 0).
    """
    prior = np.zeros((size, size, 2), np.int8)
    if before is not None:
        prior[..., 0] = np.where(before, 1, -1)
    for x, y, positive in clicks:
        draw_click(prior[..., 1], x, y, positive)
    return prior
