"""LiteRT (TensorFlow Lite) with XNNPACK on the CPU."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from scipy.special import expit

from picosam2.errors import InputError
from picosam2.prompt import CROP_SIZE
from picosam2.runtime.files import FileRuntime, read_model

IMAGE, PRIOR = (1, CROP_SIZE, CROP_SIZE, 3), (1, CROP_SIZE, CROP_SIZE, 2)
OUTPUTS = [(1, CROP_SIZE, CROP_SIZE, 1), (1, 1)]


class LiteRtRuntime(FileRuntime):
    """The exported network in LiteRT, fp32 or INT8.

    Args:
        path: a ``.tflite`` file made by ``picosam2``.
        threads: CPU threads of one call; 0 for all cores.

    Attributes:
        names: of the image, the prior where there is one, the logits and the IoU logits.
        dtype: of all of them.
        quantisation: scale and zero point of each; None where they are float32.

    Raises:
        InputError: the file is missing, broken or another model.
    """

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        super().__init__(path, threads)
        content = read_model(path)
        try:
            self._interpreter = Interpreter(
                model_content=content, num_threads=threads or os.cpu_count()
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError):
            raise InputError(f"{path} is not a LiteRT model, or it is damaged") from None
        found = self._interpreter.get_input_details() + self._interpreter.get_output_details()
        shapes = [tuple(tensor["shape"].tolist()) for tensor in found]
        self.takes_prior = PRIOR in shapes
        if shapes != [IMAGE, *([PRIOR] if self.takes_prior else []), *OUTPUTS]:
            names = ", ".join(tensor["name"] for tensor in found)
            raise InputError(f"{path} is not a PicoSAM2 model: its tensors are {names}")
        self.digest = hashlib.sha256(content).hexdigest()
        self.names = [tensor["name"] for tensor in found]
        self.dtype = np.dtype(found[0]["dtype"]).name
        self.quantisation = [
            (float(scale), int(zero)) if scale else None
            for scale, zero in (tensor["quantization"] for tensor in found)
        ]
        self._index = [tensor["index"] for tensor in found]

    def __call__(
        self, crops: NDArray[np.uint8], prior: NDArray[np.int8] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See :class:`picosam2.runtime.Runtime`."""
        logits = np.empty(crops.shape[:3], np.float32)
        iou_logits = np.empty(len(crops), np.float32)
        with self._one_at_a_time, self.running():
            for row, crop in enumerate(crops):
                self._interpreter.set_tensor(self._index[0], self._quantise(crop)[None])
                if self.takes_prior and prior is not None:
                    self._interpreter.set_tensor(self._index[1], self._quantise_prior(prior[row]))
                self._interpreter.invoke()
                logits[row] = self._read(-2)[0, ..., 0]
                iou_logits[row] = self._read(-1)[0, 0]
        return logits, expit(iou_logits)

    def _quantise(self, crop: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int8]:
        if self.quantisation[0] is None:
            return crop.astype(np.float32)
        # The input's scale is 1 and its zero point -128: flipping the top bit subtracts 128.
        return (crop ^ np.uint8(0x80)).view(np.int8)

    def _quantise_prior(self, prior: NDArray[np.int8]) -> NDArray[np.float32] | NDArray[np.int8]:
        """1×96×96×2."""
        if (quantisation := self.quantisation[1]) is None:
            return prior[None].astype(np.float32)
        scale, zero = quantisation
        return np.clip(np.rint(prior[None] / scale + zero), -128, 127).astype(np.int8)

    def _read(self, which: int) -> NDArray[np.float32]:
        values: NDArray[np.float32] = self._interpreter.get_tensor(self._index[which])
        if (quantisation := self.quantisation[which]) is None:
            return values
        scale, zero = quantisation
        return (values.astype(np.float32) - np.float32(zero)) * np.float32(scale)
