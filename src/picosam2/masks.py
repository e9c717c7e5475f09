"""What two masks have in common: for choosing between readings, and for measuring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mask_iou(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one shape, in 0..1; 1 when both are empty."""
    union = np.count_nonzero(predicted | truth)
    return np.count_nonzero(predicted & truth) / union if union else 1.0
