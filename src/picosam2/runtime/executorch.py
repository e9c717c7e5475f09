"""ExecuTorch with XNNPACK on the CPU."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
from executorch.runtime import Runtime as ExecuTorch
from executorch.runtime import Verification
from numpy.typing import NDArray
from scipy.special import expit

from picosam2.errors import InputError
from picosam2.prompt import CROP_SIZE
from picosam2.runtime.files import FileRuntime, channels_first, read_model

IMAGE, PRIOR = (1, 3, CROP_SIZE, CROP_SIZE), (1, 2, CROP_SIZE, CROP_SIZE)
OUTPUTS = [(1, 1, CROP_SIZE, CROP_SIZE), (1, 1, 1, 1)]


class ExecuTorchRuntime(FileRuntime):
    """The exported network in ExecuTorch, fp32 or INT8.

    Args:
        path: a ``.pte`` file made by ``picosam2``.
        threads: CPU threads, for all of ExecuTorch; 0 leaves them as they are.

    Raises:
        InputError: the file is missing, broken or another model.
    """

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        super().__init__(path, threads)
        if threads:
            _unsafe_reset_threadpool(threads)
        content = read_model(path)
        try:
            # Verified whole: ExecuTorch does not look at damaged tables otherwise.
            program = ExecuTorch.get().load_program(
                content, verification=Verification.InternalConsistency
            )
            self._method = program.load_method("forward")
        # ExecuTorch raises RuntimeError, and what its bindings raise for a missing method.
        except Exception:
            raise InputError(f"{path} is not an ExecuTorch model, or it is damaged") from None
        about = self._method.metadata
        found = [
            *(about.input_tensor_meta(index).sizes() for index in range(about.num_inputs())),
            *(about.output_tensor_meta(index).sizes() for index in range(about.num_outputs())),
        ]
        self.takes_prior = PRIOR in found
        if found != [IMAGE, *([PRIOR] if self.takes_prior else []), *OUTPUTS]:
            raise InputError(f"{path} is not a PicoSAM2 model: its tensors are {found}")
        self._program = program
        self.digest = hashlib.sha256(content).hexdigest()

    def __call__(
        self, crops: NDArray[np.uint8], prior: NDArray[np.int8] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See :class:`picosam2.runtime.Runtime`."""
        # ExecuTorch takes a tensor's memory as it lies.
        shown = [
            torch.from_numpy(channels_first(values))
            for values in (crops, prior)
            if values is not None
        ]
        logits = np.empty(crops.shape[:3], np.float32)
        iou_logits = np.empty(len(crops), np.float32)
        with self._one_at_a_time, self.running():
            for row in range(len(crops)):
                mask, score = self._method.execute([values[row : row + 1] for values in shown])
                logits[row], iou_logits[row] = mask.numpy()[0, 0], score.item()
        return logits, expit(iou_logits)
