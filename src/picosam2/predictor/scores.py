"""The IoU to expect of a mask: the network's own estimate, corrected by what its logits show.

The network's IoU output sees its lowest resolution only. How sure and how sharp the mask is,
whether it holds the crop's centre (the prompt), whether the crop cuts it off, and how well it fills
a given box by itself say more. A logistic curve for each kind of prompt, fitted with the weights on
``coco-dev`` (``scripts/fit_scores.py``), which travels with them; an addition to PicoSAM2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from picosam2.errors import InputError
from picosam2.predictor.boxes import box_overlap

# Of SAM's stability score, in logits.
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


def stability(logits: NDArray[np.float32], offset: float) -> float:
    """SAM's stability score in 0..1: IoU of the masks at thresholds ``offset`` and −``offset``."""
    sure, possible = ((logits > threshold).sum() for threshold in (offset, -offset))
    return int(sure) / max(1, int(possible))


def _evidence(logits: NDArray[np.float32], score: float, last: float) -> NDArray[np.float64]:
    mask = logits > 0
    low = round(len(logits) * (1 - CENTRE) / 2)
    middle = slice(low, len(logits) - low)
    stable = stability(logits, STABILITY_OFFSET)
    shares = np.array([score, stable, expit(logits[middle, middle]).mean()], np.float64)
    strength = float(logits[mask].mean()) if mask.any() else 0.0
    return np.array([*logit(shares.clip(1e-3, 1 - 1e-3)), strength, last])


# The network's own predicted IoU, as it is.
OWN_SCORES = {
    kind: ScoreModel((1.0, *[0.0] * (count - 1)), 0.0) for kind, count in (("click", 5), ("box", 7))
}


def read_models(content: Mapping[str, Any]) -> dict[str, ScoreModel]:
    """The models by kind of prompt, ``click`` and ``box``, as ``scripts/fit_scores.py`` fits them.

    Args:
        content: of a model's sidecar, ``models``: kind → ``weights`` and ``bias``; where it is
            empty, the network's own predicted IoU is taken as it is.

    Raises:
        InputError: it is damaged, or for other evidence.
    """
    if not content:
        return OWN_SCORES
    try:
        models = {
            kind: ScoreModel(tuple(map(float, values["weights"])), float(values["bias"]))
            for kind, values in content["models"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        models = {}
    if any(
        kind not in models or len(models[kind].weights) != len(own.weights)
        for kind, own in OWN_SCORES.items()
    ):
        raise InputError("the model's predicted IoU was fitted by another version: export it again")
    return models
