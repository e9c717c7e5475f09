"""An exported model beside the fp32 network, on the same objects."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.data.source import Source
from picosam2.evaluation.run import evaluate
from picosam2.predictor import Predictor
from picosam2.runtime import Runtime

OBJECTS = 300
# One crop an object each, so that the choice of a click's scale adds no noise.
PROTOCOLS = ["crop96", "box"]
# INT8 models of the shipped weights get 0.95 to 0.97 on the bundled photographs.
MIN_MASK_IOU = 0.85
BATCH = 16


def compare_answers(
    runtime: Runtime, fp32: Runtime, crops: NDArray[np.uint8]
) -> dict[str, float | int]:
    """How far two models' answers to the same crops lie apart.

    Args:
        runtime: the exported model.
        fp32: the network it was made from.
        crops: N×96×96×3 uint8 RGB.

    Returns:
        ``crops``; ``mask_iou``, the mean IoU of the masks (two empty ones count as 1);
        ``logit_error`` and ``predicted_iou_error``, mean absolute differences.
    """
    (logits, iou), (fp32_logits, fp32_iou) = _ask(runtime, crops), _ask(fp32, crops)
    masks, fp32_masks = logits > 0, fp32_logits > 0
    union = (masks | fp32_masks).sum((1, 2))
    overlap = np.where(union, (masks & fp32_masks).sum((1, 2)) / union.clip(1), 1.0)
    return {
        "crops": len(crops),
        "mask_iou": float(overlap.mean()),
        "logit_error": float(np.abs(logits - fp32_logits).mean()),
        "predicted_iou_error": float(np.abs(iou - fp32_iou).mean()),
    }


def _ask(
    runtime: Runtime, crops: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The answers to many crops, a few at a time: activations of 300 take gigabytes."""
    answers = [runtime(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
    logits, iou = zip(*answers, strict=True)
    return np.concatenate(logits), np.concatenate(iou)


def measure_drop(runtime: Runtime, fp32: Runtime, data: Source, seed: int) -> dict[str, Any]:
    """MIoU of two models on the same objects.

    Args:
        runtime: the exported model.
        fp32: the network it was made from.
        data: photographs with masks; 300 of their objects are measured.
        seed: of the choice of objects.

    Returns:
        ``data``, ``objects``, ``miou`` and ``fp32_miou`` by protocol in 0..1, and ``drop``: the
        largest loss, in points.
    """
    reports = [
        evaluate(data, PROTOCOLS, Predictor(network), OBJECTS, seed) for network in (runtime, fp32)
    ]
    miou, fp32_miou = (
        {name: report["protocols"][name]["miou"] for name in PROTOCOLS} for report in reports
    )
    return {
        "data": reports[0]["data"],
        "objects": reports[0]["protocols"]["box"]["n"],
        "miou": miou,
        "fp32_miou": fp32_miou,
        "drop": max(100 * (fp32_miou[name] - miou[name]) for name in PROTOCOLS),
    }
