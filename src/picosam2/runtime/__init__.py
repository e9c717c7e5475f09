"""Engines that run the network: one file each, all with the interface of :class:`Runtime`."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Runtime(Protocol):
    """The network of the first look on one engine.

    Attributes:
        digest: SHA-256 of the model file, hexadecimal.
        scores: how the predicted IoU of these weights is corrected, as
            ``picosam2.predictor.scores`` reads it; empty where nothing is known.
        marks_boxes: whether it is shown a box drawn on its crop (``picosam2.marks``).
    """

    digest: str
    scores: dict[str, Any]
    marks_boxes: bool

    def __call__(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Segment the object at the centre of each crop.

        Args:
            crops: N×96×96×3 uint8 RGB.

        Returns:
            Mask logits N×96×96 float32 (above 0 is object) and the predicted IoU of each mask
            with the whole object, N float32 in 0..1.
        """
        ...


class Corrector(Protocol):
    """A correcting network on one engine: for what comes after the first look."""

    @property
    def digest(self) -> str:
        """SHA-256 of the model file, hexadecimal."""

    @property
    def scores(self) -> dict[str, Any]:
        """As of :class:`Runtime`."""

    def __call__(
        self, crops: NDArray[np.uint8], prior: NDArray[np.int8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Segment again what is known in part, in each crop.

        Args:
            crops: N×96×96×3 uint8 RGB.
            prior: N×96×96×2 int8: the mask before (+1 object, −1 none, 0 unknown) and the clicks
                (+1 on the object, −1 not on it, 0 elsewhere).

        Returns:
            As :class:`Runtime`.
        """
        ...
