"""The JSON file beside an exported model: all that a C programmer needs to run it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.checkpoint import read_scores
from picosam2.export.artefact import Artefact, Samples
from picosam2.images import load_image
from picosam2.output import write_json
from picosam2.predictor.prior import make_prior
from picosam2.prompt import CROP_SIZE
from picosam2.weights import GOLDEN_CROP

# Of the inputs, in their order.
MEANINGS = (
    "RGB in 0..255; the prompt at (48.0, 48.0)",
    "the mask before (+1 object, -1 none, 0 unknown), and discs of 3 pixels around clicks "
    "(+1 on the object, -1 not on it)",
)


def golden_samples(prior: bool) -> Samples:
    """The crop that every sidecar shows, with a prior for a correcting network.

    It says that the upper half was the object and that the middle of the lower one is not.
    """
    crops = load_image(GOLDEN_CROP)[None]
    if not prior:
        return Samples(crops)
    upper = np.arange(CROP_SIZE)[:, None] < np.full(CROP_SIZE, CROP_SIZE // 2)
    clicks = [(CROP_SIZE / 2, CROP_SIZE * 0.25, True), (CROP_SIZE / 2, CROP_SIZE * 0.75, False)]
    return Samples(crops, make_prior(upper, clicks, CROP_SIZE)[None])


def write_sidecar(artefact: Artefact, weights: Path, **facts: Any) -> Path:
    """Write ``MODEL.json`` beside ``MODEL``.

    Args:
        artefact: the exported model; its runtime computes the golden output.
        weights: what it was made from.
        facts: about the export (target, calibration, verification), JSON-ready.

    Returns:
        The file.
    """
    golden = golden_samples(len(artefact.tensors) == 4)
    logits, iou = artefact.runtime(*golden.inputs)  # type: ignore[call-arg]
    *inputs, mask, score = artefact.tensors
    deployed = artefact.deployed or (artefact.model.name,)
    description = {
        "model": artefact.model.name,
        "sha256": sha256(artefact.model),
        "bytes": sum((artefact.model.parent / name).stat().st_size for name in deployed),
        "deployed": deployed,
        "weights": weights.name,
        "weights_sha256": sha256(weights),
        "inputs": [
            described | {"meaning": meaning}
            for described, meaning in zip(inputs, MEANINGS, strict=False)
        ],
        "outputs": [
            mask | {"meaning": "mask logits", "threshold": 0.0},
            score | {"meaning": "1 / (1 + exp(-x)) is the predicted IoU with the whole object"},
        ],
        **artefact.details,
        **facts,
        # How the predictor corrects the predicted IoU: they were fitted to these weights.
        "scores": read_scores(weights),
        "golden": {
            "computed_by": artefact.runs or "this model",
            "input": {"encoding": "base64 of 96×96×3 uint8 RGB", "data": _base64(golden.crops)},
            **(
                {}
                if golden.prior is None
                else {
                    "prior": {"encoding": "base64 of 96×96×2 int8", "data": _base64(golden.prior)}
                }
            ),
            "logits": {
                "encoding": "base64 of 96×96 float32, little-endian",
                "data": _base64(logits[0].astype("<f4")),
            },
            "predicted_iou": float(iou[0]),
        },
    }
    path = artefact.model.with_suffix(".json")
    write_json(path, description)
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
