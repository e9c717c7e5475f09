"""Figures over objects: mIoU, mAP, by size, with bootstrap intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

THRESHOLDS = np.arange(50, 100, 5) / 100
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, np.inf)}


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
        ``miou``, ``map``, ``n``, ``ci95`` (the mIoU's 95 % percentile bootstrap interval over
        objects, 2,000 resamples) and ``by_size``, the same without interval for each size.
    """
    result: dict[str, Any] = _figures(ious)
    if len(ious) > 1:
        interval = bootstrap(
            (ious,),
            np.mean,
            n_resamples=2000,
            batch=100,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
        result["ci95"] = [float(interval.low), float(interval.high)]
    else:
        result["ci95"] = [result["miou"]] * 2
    result["by_size"] = {
        name: _figures(ious[(areas >= low) & (areas < high)]) for name, (low, high) in SIZES.items()
    }
    return result


def _figures(ious: NDArray[np.float64]) -> dict[str, Any]:
    if not len(ious):
        return {"miou": None, "map": None, "n": 0}
    return {"miou": float(ious.mean()), "map": mean_average_precision(ious), "n": len(ious)}
