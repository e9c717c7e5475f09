"""What lets threads share a predictor, and leaves the process as it was."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController


class ThreadState(threading.local):
    """What belongs to one thread: its image, so that none gets the mask of another's.

    Attributes:
        image: H×W×3 uint8; None before ``set_image``.
        images: of ``set_image_batch``; empty before.
        steps: of the last call about the image, by prompt (``picosam2.predictor.asking``).
        forward_passes: crops that the networks saw in the last call.
    """

    def __init__(self) -> None:
        self.image: NDArray[np.uint8] | None = None
        self.images: list[NDArray[np.uint8]] = []
        self.steps: dict[Any, Any] = {}
        self.forward_passes = 0


class OneBlasThread:
    """A context in which matrix products take one thread; may be entered by several at once.

    The geometry's matrices are small: BLAS threads would wait for each other longer than they work.
    Their number is the process's. Who enters first sets it, and restores it as he leaves; others
    leave it alone, so that what is restored is what was there.
    """

    def __init__(self) -> None:
        self._controller = ThreadpoolController()
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._owner is None:
                self._owner = threading.get_ident()
                self._limit = self._controller.limit(limits=1, user_api="blas")
                self._limit.__enter__()

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            if self._owner == threading.get_ident():
                self._limit.__exit__(*exception)
                self._owner = None


# The process's: whoever computes geometry enters it.
ONE_BLAS_THREAD = OneBlasThread()
