"""Facts about masks: how alike two are, and where one is best clicked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def mask_iou(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one shape, in 0..1; 1 when both are empty."""
    union = np.count_nonzero(predicted | truth)
    return float(np.count_nonzero(predicted & truth) / union) if union else 1.0


def mask_extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """x0, y0, x1, y1 of a mask's pixels, x1 and y1 the far edges; None where it is empty."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def keep_touching(
    logits: NDArray[np.float32], kept: NDArray[np.bool_] | tuple[slice, slice]
) -> NDArray[np.float32]:
    """Logits of the parts of a mask that touch a place; of all parts where none does.

    Args:
        logits: S×S float32, above 0 is object.
        kept: the place: S×S bool, or slices of it.
    """
    labels, count = ndimage.label(logits > 0)
    touching = np.unique(labels[kept])
    if count < 2 or not touching.any():
        return logits
    others = (labels > 0) & ~np.isin(labels, touching)
    return np.where(others, -np.abs(logits), logits)


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
    """The pixel farthest from the edge of a mask that is not empty, as (x, y).

    The first in row-major order. By the exact Euclidean distance transform; the image border
    counts as outside.
    """
    found = mask_extent(mask)
    assert found is not None
    # Nothing beyond the ring around the mask's extent is nearer than the ring.
    left, top, right, bottom = found
    extent = np.pad(mask[top:bottom, left:right], 1)
    distance = ndimage.distance_transform_edt(extent)[1:-1, 1:-1]
    y, x = np.unravel_index(distance.argmax(), distance.shape)
    return left + int(x), top + int(y)


def next_click(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> tuple[float, float, bool] | None:
    """Where a patient user would click to correct a mask.

    The centre of the most interior pixel of the largest 4-connected region where the mask is wrong;
    of equally large ones the object's that was missed, then the first in row-major order.

    Args:
        mask: H×W bool.
        truth: H×W bool.

    Returns:
        x, y, and whether the object was missed there (or what is not part of it was taken for it);
        None where nothing is wrong.
    """
    best: tuple[int, NDArray[np.bool_], bool] | None = None
    for wrong, positive in ((truth & ~mask, True), (mask & ~truth, False)):
        labels, count = ndimage.label(wrong)
        if not count:
            continue
        areas = np.bincount(labels.ravel())[1:]
        largest = int(areas.argmax())
        if best is None or areas[largest] > best[0]:
            best = int(areas[largest]), labels == largest + 1, positive
    if best is None:
        return None
    x, y = most_interior_pixel(best[1])
    return x + 0.5, y + 0.5, best[2]
