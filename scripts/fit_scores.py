"""Fit how the IoU of a mask is predicted from the network's estimate and from its logits.

``scripts/release_weights.py`` does so for each release; ``picosam2.predictor.scores`` says what
the numbers are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from tqdm import tqdm

from picosam2 import PredictorConfig
from picosam2.data.source import Source
from picosam2.errors import InputError
from picosam2.evaluation.run import choose_objects
from picosam2.masks import mask_iou, most_interior_pixel
from picosam2.predictor.boxes import fit_to_box, in_crop
from picosam2.predictor.looks import show
from picosam2.predictor.prompts import Box, check_box
from picosam2.predictor.readings import Reading, keep_component
from picosam2.predictor.scores import box_evidence, click_evidence
from picosam2.prompt import box_crop, click_crops, cut, paste_mask
from picosam2.runtime import Runtime

# Of the squared weights of the standardised evidence: 1,000 objects need hardly any.
RIDGE = 1e-3
# The absolute error's corner at 0 is this wide, so that it has a slope everywhere.
ROUND = 0.03


def fit_scores(runtime: Runtime, folder: Source) -> dict[str, Any]:
    """What a model's sidecar has as ``scores``: a model for clicks, and one for boxes."""
    models = {}
    for kind, (evidence, ious) in gather(runtime, folder).items():
        weights_, bias = regress(evidence, ious)
        predicted = expit(evidence @ weights_ + bias)
        models[kind] = {
            "weights": weights_.round(4).tolist(),
            "bias": round(bias, 4),
            "masks": len(ious),
            "mean_error": round(float(np.abs(predicted - ious).mean()), 4),
        }
    return {
        "model_sha256": runtime.digest,
        "data": {"folder": folder.name, "sha256": folder.digest},
        "models": models,
    }


def gather(runtime: Runtime, folder: Source) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Evidence (N×K) and true IoU (N) of masks that are not empty.

    Of each object: those of the click's first crops, and of the box's first.
    """
    config = PredictorConfig()
    found: dict[str, list[tuple[NDArray[np.float64], float]]] = {"click": [], "box": []}
    for photograph, group in tqdm(choose_objects(folder, None, 0), desc="asking", unit="image"):
        image = photograph.load()
        size = image.shape[:2]
        for annotation in group:
            truth = photograph.mask(annotation)
            x0, y0, width, height = annotation.bbox
            try:
                box = check_box((x0, y0, x0 + width, y0 + height), size[1], size[0])
            except InputError:
                continue
            column, row = most_interior_pixel(truth)
            x, y = column + 0.5, row + 0.5
            sides = [max(config.min_side, max(size) * share) for share in config.click_sides]
            crops = [box_crop(box, config.box_paddings[0]), *click_crops(x, y, sides)]
            shown = [show(image, Box(box), crops[0], runtime.marks_boxes)]
            shown += [cut(image, crop) for crop in crops[1:]]
            logits, scores = runtime(np.stack(shown))
            for crop, z, score in zip(crops[1:], logits[1:], scores[1:].tolist(), strict=True):
                reading = keep_component(Reading(crop, z, score), x, y)
                iou = mask_iou(paste_mask(reading.logits, crop, size), truth)
                if (z > 0).any():
                    found["click"].append((click_evidence(z, score), iou))
            inner = in_crop(box, crops[0], len(logits[0]))
            z = fit_to_box(logits[0], inner, config.fit(runtime.marks_boxes))
            evidence = box_evidence(logits[0], z, float(scores[0]), inner)
            if (z > 0).any():
                found["box"].append((evidence, mask_iou(paste_mask(z, crops[0], size), truth)))
    return {
        kind: (np.array([e for e, _ in rows]), np.array([iou for _, iou in rows]))
        for kind, rows in found.items()
    }


def regress(evidence: NDArray[Any], ious: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """Logistic curve through IoUs: weights and bias of least mean absolute error."""
    mean, deviation = evidence.mean(axis=0), evidence.std(axis=0)
    inputs = (evidence - mean) / deviation

    def cost(parameters: NDArray[np.float64]) -> float:
        errors = expit(inputs @ parameters[1:] + parameters[0]) - ious
        return float(np.hypot(errors, ROUND).mean() + RIDGE * np.square(parameters[1:]).sum())

    best = minimize(cost, np.zeros(inputs.shape[1] + 1), method="L-BFGS-B").x
    weights = best[1:] / deviation
    return weights, float(best[0] - weights @ mean)
