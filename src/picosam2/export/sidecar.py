"""The JSON file beside an exported model: all that a C programmer needs to run it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.images import load_image
from picosam2.output import write_json
from picosam2.prompt import CROP_SIZE
from picosam2.runtime import Runtime
from picosam2.weights import GOLDEN_CROP


def write_sidecar(model: Path, runtime: Runtime, weights: Path, **details: Any) -> None:
    """Write ``model.json``.

    Args:
        model: the exported file; the description is written beside it.
        runtime: the exported model, loaded: it computes the golden output.
        weights: what the model was made from.
        details: what else this target has to say (quantisation, calibration).
    """
    golden_crop = load_image(GOLDEN_CROP)
    logits, iou = runtime(golden_crop[None])
    side = CROP_SIZE
    description = {
        "model": model.name,
        "sha256": runtime.digest,
        "weights": weights.name,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "inputs": [
            {
                "name": "image",
                "shape": ["batch", 3, side, side],
                "layout": "NCHW",
                "type": "float32",
                "meaning": "RGB in 0..255; the prompt at (48.0, 48.0)",
            }
        ],
        "outputs": [
            {
                "name": "logits",
                "shape": ["batch", 1, side, side],
                "layout": "NCHW",
                "type": "float32",
                "meaning": "mask logits",
                "threshold": 0.0,
            },
            {
                "name": "iou_logits",
                "shape": ["batch", 1, 1, 1],
                "layout": "NCHW",
                "type": "float32",
                "meaning": "1 / (1 + exp(-x)) is the predicted IoU with the whole object",
            },
        ],
        **details,
        "golden": {
            "input": {"encoding": "base64 of 96×96×3 uint8 RGB", "data": _base64(golden_crop)},
            "logits": {
                "encoding": "base64 of 96×96 float32, little-endian",
                "data": _base64(logits[0].astype("<f4")),
            },
            "predicted_iou": float(iou[0]),
        },
    }
    write_json(model.with_suffix(".json"), description)


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
