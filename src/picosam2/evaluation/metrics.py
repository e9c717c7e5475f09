"""Figures over objects: mIoU, mAP, by size, with bootstrap intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from faster_coco_eval.core.mask import encode, iou, rleToBoundary
from numpy.typing import NDArray
from scipy.stats import bootstrap

THRESHOLDS = np.arange(50, 100, 5) / 100
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, np.inf)}


# Of the diagonal of what the masks span (Boundary IoU, arXiv 2103.16562, section 5).
BOUNDARY_WIDTH = 0.02


def boundary_iou(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """IoU of the parts of two masks within 2 % of the image's diagonal from their edges.

    Boundary IoU (Cheng et al. 2021, arXiv 2103.16562), as ``faster-coco-eval`` computes the parts:
    the mask without what is left after eroding it, the image border counting as an edge.

    Args:
        predicted: H×W bool.
        truth: H×W bool.

    Returns:
        In 0..1; 1 when both are empty.
    """
    if not predicted.any() and not truth.any():
        return 1.0
    parts = [
        rleToBoundary(encode(np.asfortranarray(mask, dtype=np.uint8)), BOUNDARY_WIDTH)
        for mask in (predicted, truth)
    ]
    return float(iou(parts[:1], parts[1:], [0])[0, 0])


def mean_average_precision(ious: NDArray[np.float64]) -> float:
    """Mean over the thresholds .50:.05:.95 of the share of objects whose IoU reaches it."""
    return float((ious[:, None] >= THRESHOLDS).mean())


def summarise(ious: NDArray[np.float64], areas: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """The figures of one protocol.

    Args:
        ious: N float64 in 0..1, one an object.
        areas: N int64, pixels of the objects' masks, for the sizes small, medium and large.
        seed: of the bootstrap.

    Returns:
        ``miou``, ``map``, ``below_half`` (the share of objects below IoU 0.5), ``n``, ``ci95`` (the
        mIoU's 95 % percentile bootstrap interval over objects, 2,000 resamples) and ``by_size``,
        the same without interval for each size.
    """
    result: dict[str, Any] = _figures(ious) | {"ci95": mean_interval(ious, seed)}
    result["by_size"] = {
        name: _figures(ious[(areas >= low) & (areas < high)]) for name, (low, high) in SIZES.items()
    }
    return result


def mean_interval(values: NDArray[np.float64], seed: int) -> list[float]:
    """The 95 % percentile bootstrap interval of a mean over objects, 2,000 resamples.

    Of the differences of two segmenters on the same objects it is the paired interval.

    Args:
        values: N float64, at least one.
        seed: of the resampling.
    """
    if len(values) < 2 or not np.ptp(values):
        return [float(values.mean())] * 2
    interval = bootstrap(
        (values,),
        np.mean,
        n_resamples=2000,
        batch=100,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return [float(interval.low), float(interval.high)]


def _figures(ious: NDArray[np.float64]) -> dict[str, Any]:
    if not len(ious):
        return {"miou": None, "map": None, "below_half": None, "n": 0}
    return {
        "miou": float(ious.mean()),
        "map": mean_average_precision(ious),
        "below_half": float((ious < 0.5).mean()),
        "n": len(ious),
    }
