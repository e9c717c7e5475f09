"""DAVIS's measures of a mask in a frame: J (region) and F (boundary)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Share of the frame's diagonal that a boundary may be off.
TOLERANCE = 0.008


def boundary_f(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """F of the masks' boundaries, within 0.8 % of the frame's diagonal.

    The harmonic mean of precision and recall (Perazzi et al. 2016, "A Benchmark Dataset and
    Evaluation Methodology for Video Object Segmentation", section 4.1), as DAVIS's own code has it.

    Args:
        predicted: H×W bool.
        truth: H×W bool.

    Returns:
        In 0..1; 1 where neither mask has a boundary, 0 where one alone has none.
    """
    edges, true_edges = _boundary(predicted), _boundary(truth)
    if not edges.any() or not true_edges.any():
        return float(edges.any() == true_edges.any())
    radius = math.ceil(TOLERANCE * math.hypot(*truth.shape))
    # Nothing beyond what both boundaries span, and the radius around it, is within it.
    rows, columns = np.nonzero(edges | true_edges)
    window = (
        slice(max(0, rows.min() - radius), rows.max() + radius + 1),
        slice(max(0, columns.min() - radius), columns.max() + radius + 1),
    )
    edges, true_edges = edges[window], true_edges[window]
    precision = (_distance(true_edges)[edges] <= radius).mean()
    recall = (_distance(edges)[true_edges] <= radius).mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _distance(edges: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each pixel to the nearest one of the boundary."""
    result: NDArray[np.float64] = ndimage.distance_transform_edt(~edges)
    return result


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that differ from the one to the right, below, or both; the frame's edge is none."""
    edge = np.zeros_like(mask)
    edge[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    edge[:-1] |= mask[:-1] ^ mask[1:]
    edge[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return edge
