"""How an object moved between two crops: optical flow, and the affine map that explains it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.errors import InputError
from picosam2.installation import how_to_install

# Pixels around the mask whose flow counts as well; the largest error of one that agrees.
RING, ERROR = 3, 1.0
# The map is fitted to about so many of the flow's vectors.
VECTORS = 600
# Shares of vectors that agree with the map: below the first it is not believed, at 1 it is wholly.
AGREE = 0.9


@cache
def import_cv2() -> Any:
    """OpenCV.

    Raises:
        InputError: it is not installed.
    """
    try:
        import cv2
    except ModuleNotFoundError:
        raise InputError(f"following objects needs OpenCV: {how_to_install('video')}") from None
    return cv2


def follow_mask(
    before: NDArray[np.uint8], mask: NDArray[np.bool_], after: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], float]:
    """Where a mask is in a later crop, if what it covers moved as one piece.

    Dense inverse search (Kroeger et al. 2016) gives the flow; of an affine map is believed as much
    as vectors in and around the mask agree with it (RANSAC): it explains what is rigid, and nearly
    nothing of what bends.

    Args:
        before: S×S×3 uint8 RGB, the earlier crop.
        mask: S×S bool in it.
        after: S×S×3 uint8 RGB, the later crop.

    Returns:
        S×S bool in the later crop, and how far to believe it, in 0..1; the mask as it was where
        that is 0.
    """
    cv2 = import_cv2()
    old, new = (cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in (before, after))
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((2 * RING + 1, 2 * RING + 1), np.uint8))
    rows, columns = np.nonzero(ring)
    every = max(1, len(rows) // VECTORS)
    start = np.stack([columns, rows], axis=1)[::every]
    if len(start) < 3:
        return mask, 0.0
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    search.setFinestScale(1)
    flow = search.calc(old, new, None)
    end = start + flow[start[:, 1], start[:, 0]]
    matrix, agree = cv2.estimateAffine2D(
        start.astype(np.float32),
        end.astype(np.float32),
        method=cv2.RANSAC,
        ransacReprojThreshold=ERROR,
        maxIters=200,
    )
    trust = 0.0 if matrix is None else (float(agree.mean()) - AGREE) / (1 - AGREE)
    if trust <= 0:
        return mask, 0.0
    moved = cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, mask.shape[::-1])
    return moved > 127, trust


def depth_in(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Pixels from the mask's boundary, above 0 inside: S×S float32."""
    cv2 = import_cv2()
    inside, outside = (
        cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 3) for part in (mask, ~mask)
    )
    result: NDArray[np.float32] = inside - outside
    return result
