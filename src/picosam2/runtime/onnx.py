"""ONNX Runtime on the CPU: the default engine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from picosam2.errors import InputError
from picosam2.prompt import CROP_SIZE
from picosam2.runtime.files import FileRuntime, channels_first, read_model
from picosam2.runtime.session import open_session

FLOAT = "tensor(float)"
IMAGE = ("image", FLOAT, [3, CROP_SIZE, CROP_SIZE])
PRIOR = ("prior", FLOAT, [2, CROP_SIZE, CROP_SIZE])
OUTPUTS = [("logits", FLOAT, [1, CROP_SIZE, CROP_SIZE]), ("iou_logits", FLOAT, [1, 1, 1])]


class OnnxRuntime(FileRuntime):
    """The exported network in ONNX Runtime, fp32 or INT8.

    Args:
        path: an ``.onnx`` file made by ``picosam2``.
        threads: CPU threads of one call; 0 for all cores.

    Raises:
        InputError: the file is missing, broken or another model.
    """

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        super().__init__(path, threads)
        content = read_model(path)
        try:
            self._session = open_session(content, threads)
        # ONNX Runtime's own exceptions share no base class but Exception.
        except Exception:
            raise InputError(f"{path} is not an ONNX model, or it is damaged") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = [(value.name, value.type, value.shape[1:]) for value in (*inputs, *outputs)]
        self.takes_prior = PRIOR in found
        if found != [IMAGE, *([PRIOR] if self.takes_prior else []), *OUTPUTS]:
            names = ", ".join(name for name, _, _ in found)
            raise InputError(f"{path} is not a PicoSAM2 model: its tensors are {names}")
        self.digest = hashlib.sha256(content).hexdigest()

    def __call__(
        self, crops: NDArray[np.uint8], prior: NDArray[np.int8] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See :class:`picosam2.runtime.Runtime`."""
        inputs = {"image": channels_first(crops)}
        if self.takes_prior and prior is not None:
            inputs["prior"] = channels_first(prior)
        with self.running():
            logits, iou_logits = self._session.run(None, inputs)
        return logits[:, 0], expit(iou_logits.reshape(-1))
