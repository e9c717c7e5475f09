"""Where to look when nobody says where: points on a grid, windows of a large photograph."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from picosam2.prompt import Crop

# Neighbouring crops of one scale are at most this share of their side apart: an object as
# large as such a crop is seen from several points anyway.
SPACING = 1 / 3


def point_grid(points_per_side: int) -> NDArray[np.float64]:
    """SAM's grid: N² points in the middles of N×N cells, N²×2 float64, x and y in 0..1."""
    steps = (np.arange(points_per_side) + 0.5) / points_per_side
    x, y = np.meshgrid(steps, steps)
    return np.stack([x.ravel(), y.ravel()], axis=-1)


def grid_crops(
    size: tuple[int, int], points_per_side: int, sides: tuple[float, ...], min_side: float
) -> list[Crop]:
    """The crops to look at in an image, small ones first.

    Each scale has a grid of its own, of at most ``points_per_side``²: large crops need fewer.

    Args:
        size: H, W in pixels.
        points_per_side: of the densest grid.
        sides: of the crops, as shares of the image's longer side.
        min_side: smallest crop, in pixels.
    """
    height, width = size
    longer = max(size)
    crops = []
    for side in sorted({max(min_side, share * longer) for share in sides}):
        count = min(points_per_side, math.ceil(longer / (SPACING * side)))
        points = point_grid(count) * [width, height]
        crops += [Crop(x, y, side) for x, y in points.tolist()]
    return crops


def point_crops(
    size: tuple[int, int], points: NDArray[np.float64], sides: tuple[float, ...], min_side: float
) -> list[Crop]:
    """Every scale at every one of N×2 points, x and y in 0..1."""
    longer = max(size)
    scales = sorted({max(min_side, share * longer) for share in sides})
    pixels = (points * [size[1], size[0]]).tolist()
    return [Crop(x, y, side) for side in scales for x, y in pixels]


def layer_windows(
    size: tuple[int, int], layer: int, overlap_ratio: float
) -> list[tuple[int, int, int, int]]:
    """The overlapping windows of SAM's crop layer ``layer``: 2^layer each way.

    Args:
        size: H, W in pixels.
        layer: 0 is the image as a whole.
        overlap_ratio: of two windows of layer 1, as a share of the image's shorter side.

    Returns:
        x0, y0, x1, y1 in pixels.
    """
    height, width = size
    if layer == 0:
        return [(0, 0, width, height)]
    count = 2**layer
    overlap = int(overlap_ratio * min(size) * (2 / count))
    across = math.ceil((overlap * (count - 1) + width) / count)
    down = math.ceil((overlap * (count - 1) + height) / count)
    return [
        (x0, y0, min(width, x0 + across), min(height, y0 + down))
        for x0 in ((across - overlap) * i for i in range(count))
        for y0 in ((down - overlap) * i for i in range(count))
    ]
