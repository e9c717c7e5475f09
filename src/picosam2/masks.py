"""Facts about masks: how alike two are, and where one is best clicked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def mask_iou(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one shape, in 0..1; 1 when both are empty."""
    union = np.count_nonzero(predicted | truth)
    return float(np.count_nonzero(predicted & truth) / union) if union else 1.0


def extent_centre(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The pixel the paper's crop is centred on, as (x, y).

    The middle of the mask's extent, ``(min + max) // 2`` per axis, or, where that is off the mask,
    the mask's pixel nearest to it (the first in row-major order).
    """
    rows, columns = np.nonzero(mask)
    y, x = (rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2
    nearest = ((rows - y) ** 2 + (columns - x) ** 2).argmin()
    return int(columns[nearest]), int(rows[nearest])


def most_interior_pixel(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The pixel farthest from the mask's edge, as (x, y); the first in row-major order.

    By the exact Euclidean distance transform; the image border counts as outside.
    """
    # Nothing beyond the ring around the mask's extent is nearer than the ring.
    top, left = (int(np.flatnonzero(mask.any(axis=axis))[0]) for axis in (1, 0))
    bottom, right = (int(np.flatnonzero(mask.any(axis=axis))[-1]) + 1 for axis in (1, 0))
    extent = np.pad(mask[top:bottom, left:right], 1)
    distance = ndimage.distance_transform_edt(extent)[1:-1, 1:-1]
    y, x = np.unravel_index(distance.argmax(), distance.shape)
    return left + int(x), top + int(y)
