"""PyTorch: the engine of training, and of weights that are not exported yet."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from picosam2.checkpoint import load_weights, read_scores
from picosam2.model import CameraModel, PicoSAM2


class TorchRuntime:
    """The network in PyTorch, on the device where its parameters are."""

    def __init__(
        self, network: PicoSAM2, digest: str = "", scores: dict[str, Any] | None = None
    ) -> None:
        self._model = CameraModel(network).eval()
        self._model.to(next(network.parameters()).device)
        self.digest = digest
        self.scores = scores or {}
        self.takes_prior = network.config.takes_prior
        self.marks_boxes = network.config.marks_boxes

    @classmethod
    def from_file(cls, path: str | Path, threads: int = 0) -> TorchRuntime:
        """Load ``.safetensors`` weights.

        Args:
            path: the file.
            threads: CPU threads, for all of PyTorch; 0 leaves them as they are.

        Raises:
            InputError: the file is missing or broken.
        """
        network = load_weights(path)
        if threads:
            torch.set_num_threads(threads)
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return cls(network, digest, read_scores(Path(path)))

    @torch.inference_mode()
    def __call__(
        self, crops: NDArray[np.uint8], prior: NDArray[np.int8] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See :class:`picosam2.runtime.Runtime`."""
        device = self._model.scale.device
        planes = [
            torch.tensor(values, device=device).permute(0, 3, 1, 2).float()
            for values in (crops, prior)
            if values is not None
        ]
        logits, iou_logits = self._model(*planes)
        return logits[:, 0].cpu().numpy(), iou_logits.sigmoid().flatten().cpu().numpy()
