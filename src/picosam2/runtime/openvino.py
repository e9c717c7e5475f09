"""OpenVINO on the CPU; it runs our ONNX models too."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from picosam2.errors import InputError
from picosam2.prompt import CROP_SIZE

INTERFACE = [
    ("image", [3, CROP_SIZE, CROP_SIZE]),
    ("logits", [1, CROP_SIZE, CROP_SIZE]),
    ("iou_logits", [1, 1, 1]),
]


class OpenVinoRuntime:
    """The exported network in OpenVINO, fp32 or INT8.

    Args:
        path: an ``.xml`` file (its ``.bin`` beside it) or an ``.onnx`` file made by ``picosam2``.
        threads: CPU threads of one call; 0 for all cores.

    Raises:
        InputError: a file is missing, broken or another model.
    """

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        path = Path(path)
        files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
        digest = hashlib.sha256()
        try:
            for file in files:
                digest.update(file.read_bytes())
            model = openvino.Core().read_model(path)
        except OSError as error:
            raise InputError(f"cannot read the model {error.filename}: {error.strerror}") from None
        # OpenVINO raises RuntimeError and subclasses of Exception alone.
        except Exception:
            raise InputError(f"{path} is not an OpenVINO or ONNX model, or is damaged") from None
        found = [
            (port.get_any_name(), [int(size.get_max_length()) for size in port.partial_shape[1:]])
            for port in (*model.inputs, *model.outputs)
        ]
        if found != INTERFACE:
            names = ", ".join(name for name, _ in found)
            raise InputError(f"{path} is not a PicoSAM2 model: its tensors are {names}")
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        self._model = openvino.compile_model(model, "CPU", settings)
        self.path = path
        self.digest = digest.hexdigest()

    def __call__(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See :class:`picosam2.runtime.Runtime`."""
        images = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)
        # The results' memory is used again by the next call.
        logits, iou_logits = (value.copy() for value in self._model([images]).values())
        return logits[:, 0], 1 / (1 + np.exp(-iou_logits.reshape(-1)))
