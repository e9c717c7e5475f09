"""An exported model beside the fp32 network, on the same objects."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from picosam2.data.source import Source
from picosam2.evaluation.run import evaluate
from picosam2.export.artefact import Samples
from picosam2.predictor import Predictor
from picosam2.runtime import Corrector, Runtime
from picosam2.runtime.engines import open_runtime
from picosam2.weights import DEFAULT_MODEL

OBJECTS = 300
# One crop an object each, so that the choice of a click's scale adds no noise.
PROTOCOLS = ["crop96", "box"]
# INT8 models of the shipped weights get 0.92 to 0.97 on the bundled photographs.
MIN_MASK_IOU = 0.85
BATCH = 16
# Of correcting networks, which are asked eight times or more about each.
CORRECTED_OBJECTS = 100
CLICKS = (2, 3, 5)


def compare_answers(
    runtime: Runtime | Corrector, fp32: Runtime | Corrector, samples: Samples
) -> dict[str, float | int]:
    """How far two models' answers to the same samples lie apart.

    Args:
        runtime: the exported model.
        fp32: the network it was made from.
        samples: what they are shown.

    Returns:
        ``crops``; ``mask_iou``, the mean IoU of the masks (two empty ones count as 1);
        ``logit_error`` and ``predicted_iou_error``, mean absolute differences.
    """
    (logits, iou), (fp32_logits, fp32_iou) = _ask(runtime, samples), _ask(fp32, samples)
    masks, fp32_masks = logits > 0, fp32_logits > 0
    union = (masks | fp32_masks).sum((1, 2))
    overlap = np.where(union, (masks & fp32_masks).sum((1, 2)) / union.clip(1), 1.0)
    return {
        "crops": len(samples),
        "mask_iou": float(overlap.mean()),
        "logit_error": float(np.abs(logits - fp32_logits).mean()),
        "predicted_iou_error": float(np.abs(iou - fp32_iou).mean()),
    }


def _ask(
    runtime: Runtime | Corrector, samples: Samples
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The answers to many crops, a few at a time: activations of 300 take gigabytes."""
    parts = [samples.part(start, BATCH) for start in range(0, len(samples), BATCH)]
    answers = [runtime(*part.inputs) for part in parts]  # type: ignore[call-arg]
    logits, iou = zip(*answers, strict=True)
    return np.concatenate(logits), np.concatenate(iou)


def measure_drop(
    runtime: Runtime | Corrector, fp32: Runtime | Corrector, data: Source, seed: int
) -> dict[str, Any]:
    """MIoU of two models on the same objects.

    Args:
        runtime: the exported model.
        fp32: the network it was made from.
        data: photographs with masks; 300 of their objects are measured, with correcting networks
            100.
        seed: of the choice of objects.

    Returns:
        ``data``, ``objects``, ``miou`` and ``fp32_miou`` by protocol (or number of clicks) in 0..1,
        and ``drop``: the largest loss, in points.
    """
    reports = [_measure(network, data, seed) for network in (runtime, fp32)]
    miou, fp32_miou = (report["miou"] for report in reports)
    return {
        "data": reports[0]["data"],
        "objects": reports[0]["objects"],
        "miou": miou,
        "fp32_miou": fp32_miou,
        "drop": max(100 * (fp32_miou[name] - miou[name]) for name in miou),
    }


def _measure(network: Runtime | Corrector, data: Source, seed: int) -> dict[str, Any]:
    if not getattr(network, "takes_prior", False):
        report = evaluate(data, PROTOCOLS, Predictor(cast(Runtime, network)), OBJECTS, seed)
        miou = {name: report["protocols"][name]["miou"] for name in PROTOCOLS}
    else:
        predictor = Predictor(
            open_runtime(DEFAULT_MODEL, None, 0), corrector=cast(Corrector, network)
        )
        report = evaluate(data, ["noc"], predictor, CORRECTED_OBJECTS, seed)
        curve = report["protocols"]["noc"]["clicks"]["curve"]
        miou = {f"{count} clicks": curve[count - 1] for count in CLICKS}
    objects = next(iter(report["protocols"].values()))["n"]
    return {"data": report["data"], "objects": objects, "miou": miou}
