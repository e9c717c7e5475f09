"""The IoU to expect of a mask: the network's own estimate, corrected by what its logits show.

The network's IoU output sees its lowest resolution only. How sure and how sharp the mask is,
whether it holds the crop's centre (the prompt), whether the crop cuts it off, and how well it fills
a given box by itself say more. A logistic curve for each kind of prompt, fitted with the weights on
``coco-dev`` (``scripts/fit_scores.py``); an addition to PicoSAM2.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from picosam2.boxes import box_overlap
from picosam2.weights import SCORES_FILE

# SAM's stability score: IoU of the masks at thresholds one below and one above.
STABILITY_OFFSET = 1.0
# The middle sixth of the crop.
CENTRE = 1 / 6


@dataclass(frozen=True)
class ScoreModel:
    """Predicts a mask's IoU from evidence.

    Args:
        weights: one for each value of :func:`click_evidence` or :func:`box_evidence`.
        bias: added to their weighted sum.
    """

    weights: tuple[float, ...]
    bias: float

    def __call__(self, evidence: NDArray[np.float64]) -> float:
        """Predicted IoU in 0..1.

        Args:
            evidence: float64, as many as ``weights``.
        """
        return float(expit(evidence @ np.array(self.weights) + self.bias))


def click_evidence(logits: NDArray[np.float32], score: float) -> NDArray[np.float64]:
    """What speaks for a mask after a click.

    Args:
        logits: S×S float32 of a crop, above 0 is object.
        score: the network's predicted IoU in 0..1.

    Returns:
        5 float64: logits of the score, of the stability and of the mean probability in the crop's
        middle; the mean logit of the object; and the share of the crop's border that is object.
    """
    return _evidence(logits, score, float(crop_border(logits > 0).mean()))


def crop_border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The outermost pixels of an S×S mask: 4S bool, the corners twice."""
    return np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])


def box_evidence(
    own: NDArray[np.float32],
    fitted: NDArray[np.float32],
    score: float,
    box: tuple[float, ...],
) -> NDArray[np.float64]:
    """What speaks for a mask in a box.

    Args:
        own: S×S float32, the network's logits.
        fitted: S×S float32, the same fitted to the box.
        score: the network's predicted IoU in 0..1.
        box: x0, y0, x1, y1 in the crop's pixels.

    Returns:
        7 float64: as of :func:`click_evidence` with ``fitted``, but last the IoU of its mask's
        bounding box with the box; then the shift of the logits that this took, and the share of the
        network's own mask beside the box.
    """
    size = len(own)
    inside = tuple(
        slice(max(0, math.floor(low)), min(size, math.ceil(high)))
        for low, high in ((box[1], box[3]), (box[0], box[2]))
    )
    shift = float((fitted - own).max())
    area = int((own > 0).sum())
    beside = 1 - int((own[inside] > 0).sum()) / area if area else 0.0
    return np.array([*_evidence(fitted, score, box_overlap(fitted, box)), shift, beside])


def _evidence(logits: NDArray[np.float32], score: float, last: float) -> NDArray[np.float64]:
    mask = logits > 0
    low = round(len(logits) * (1 - CENTRE) / 2)
    middle = slice(low, len(logits) - low)
    sure, possible = ((logits > t).sum() for t in (STABILITY_OFFSET, -STABILITY_OFFSET))
    stability = int(sure) / max(1, int(possible))
    shares = np.array([score, stability, expit(logits[middle, middle]).mean()], np.float64)
    strength = float(logits[mask].mean()) if mask.any() else 0.0
    return np.array([*logit(shares.clip(1e-3, 1 - 1e-3)), strength, last])


# The network's own predicted IoU, as it is.
OWN_SCORES = {
    kind: ScoreModel((1.0, *[0.0] * (count - 1)), 0.0) for kind, count in (("click", 5), ("box", 7))
}


@cache
def score_models() -> dict[str, ScoreModel]:
    """Those of the package's weights: ``click`` and ``box``."""
    return read_models(json.loads(SCORES_FILE.read_bytes()))


def read_models(content: dict[str, Any]) -> dict[str, ScoreModel]:
    """The models of a ``scores.json``."""
    return {k: ScoreModel(tuple(v["weights"]), v["bias"]) for k, v in content["models"].items()}
