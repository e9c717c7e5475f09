"""A correcting network that is opened when it is first asked: most calls need none."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.runtime import Corrector
from picosam2.runtime.engines import ENGINES, find_model, open_corrector


class LazyCorrector:
    """See :class:`picosam2.runtime.Corrector`; the arguments are ``open_runtime``'s.

    An engine that has no such file leaves it to the one that the file was made for.
    """

    def __init__(self, weights: str | Path, engine: str | None, threads: int) -> None:
        self._arguments = weights, engine, threads
        self._lock = threading.Lock()
        self._opened: Corrector | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyCorrector, self._arguments

    @property
    def _corrector(self) -> Corrector:
        with self._lock:
            if self._opened is None:
                weights, engine, threads = self._arguments
                if engine in ENGINES and find_model(weights, engine) is None:
                    engine = None
                self._opened = open_corrector(weights, engine, threads)
            return self._opened

    @property
    def digest(self) -> str:
        """SHA-256 of the model file, hexadecimal."""
        return self._corrector.digest

    @property
    def scores(self) -> dict[str, Any]:
        """How the predicted IoU of these weights is corrected."""
        return self._corrector.scores

    def __call__(
        self, crops: NDArray[np.uint8], prior: NDArray[np.int8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See :class:`picosam2.runtime.Corrector`."""
        return self._corrector(crops, prior)
