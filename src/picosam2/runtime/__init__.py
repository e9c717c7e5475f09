"""Engines that run the network: one file each, all with the interface of :class:`Runtime`."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Runtime(Protocol):
    """The network on one engine.

    Attributes:
        digest: SHA-256 of the model file, hexadecimal.
        scores: how the predicted IoU of these weights is corrected, as
            ``picosam2.predictor.scores`` reads it; empty where nothing is known.
    """

    digest: str
    scores: dict[str, Any]

    def __call__(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Segment the object at the centre of each crop.

        Args:
            crops: N×96×96×3 uint8 RGB.

        Returns:
            Mask logits N×96×96 float32 (above 0 is object) and the predicted IoU of each mask
            with the whole object, N float32 in 0..1.
        """
        ...
