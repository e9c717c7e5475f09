"""Non-maximum suppression of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def suppress(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], threshold: float
) -> NDArray[np.int64]:
    """The boxes that no better one overlaps by more than ``threshold`` (IoU).

    Args:
        boxes: N×4 float64, xyxy.
        scores: N float64; of equal ones the first is the better.
        threshold: in 0..1; 1 keeps all.

    Returns:
        Indices of those kept, best first, int64.
    """
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)
    kept = []
    while len(order):
        best, others = order[0], order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[others, :2])
        high = np.minimum(boxes[best, 2:], boxes[others, 2:])
        shared = (high - low).clip(0).prod(axis=1)
        union = areas[best] + areas[others] - shared
        order = others[shared <= threshold * union]
    return np.array(kept, np.int64)
