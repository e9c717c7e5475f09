"""One network for many threads: the crops of calls at the same time share batches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.runtime import Corrector, Runtime

Answer = tuple[NDArray[np.float32], NDArray[np.float32]]
# Crops of one batch; a call that has more is answered alone.
MOST_CROPS = 64


class _Call:
    """Crops of one thread, and what became of them."""

    def __init__(self, inputs: tuple[NDArray[Any], ...]) -> None:
        self.inputs = inputs
        self.answer: Answer | None = None
        self.error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.answer is not None or self.error is not None


class Batches:
    """Gathers the calls of threads.

    There is no thread of its own. Who comes while the network computes waits; whose turn it is then
    takes the crops of all that wait along. The answers are those of calls one by one.

    Args:
        network: a runtime or corrector; it is asked one batch at a time.
        callers: how many threads may call soon: nobody waits for more.
        gather: seconds to wait for them at most.
    """

    def __init__(
        self, network: Callable[..., Answer], callers: Callable[[], int], gather: float
    ) -> None:
        self._network = network
        self._callers = callers
        self._gather = gather
        self._turn = threading.Lock()
        self._changed = threading.Condition()
        self._waiting: list[_Call] = []

    def ask(self, *inputs: NDArray[Any]) -> Answer:
        """What the network answers, in any thread.

        Args:
            inputs: N×96×96×C each, as the network takes them.

        Raises:
            Exception: what the network raises.
        """
        call = _Call(inputs)
        with self._changed:
            self._waiting.append(call)
            self._changed.notify_all()
        with self._turn:
            while not call.is_done:
                self._run(self._take())
        if call.answer is None:
            assert call.error is not None
            raise call.error
        return call.answer

    def _take(self) -> list[_Call]:
        """The calls of the next batch, in the order of their coming."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._waiting) >= min(self._callers(), MOST_CROPS), self._gather
            )
            taken, crops = 0, 0
            for call in self._waiting:
                crops += len(call.inputs[0])
                if taken and crops > MOST_CROPS:
                    break
                taken += 1
            batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch

    def _run(self, calls: list[_Call]) -> None:
        try:
            each = zip(*(call.inputs for call in calls), strict=True)
            inputs = [np.concatenate(parts) for parts in each]
            logits, scores = self._network(*inputs)
        # Whatever it is, those that wait must hear of it.
        except Exception as error:
            for call in calls:
                call.error = error
            return
        start = 0
        for call in calls:
            end = start + len(call.inputs[0])
            call.answer = logits[start:end], scores[start:end]
            start = end


class BatchingRuntime:
    """A :class:`picosam2.runtime.Runtime` whose callers share batches.

    Args:
        runtime: the network.
        callers: as of ``Batches``.
        gather: as of ``Batches``.
    """

    def __init__(self, runtime: Runtime, callers: Callable[[], int], gather: float) -> None:
        self.digest, self.scores = runtime.digest, runtime.scores
        self.marks_boxes = runtime.marks_boxes
        self._batches = Batches(runtime, callers, gather)

    def __call__(self, crops: NDArray[np.uint8]) -> Answer:
        """See :class:`picosam2.runtime.Runtime`."""
        return self._batches.ask(crops)


class BatchingCorrector:
    """A :class:`picosam2.runtime.Corrector` whose callers share batches.

    Args:
        corrector: the network; it may be one that is opened when it is first asked.
        callers: as of ``Batches``.
        gather: as of ``Batches``.
    """

    def __init__(self, corrector: Corrector, callers: Callable[[], int], gather: float) -> None:
        self._corrector = corrector
        self._batches = Batches(corrector, callers, gather)

    @property
    def digest(self) -> str:
        """SHA-256 of the model file, hexadecimal."""
        return self._corrector.digest

    @property
    def scores(self) -> dict[str, Any]:
        """How the predicted IoU of these weights is corrected."""
        return self._corrector.scores

    def __call__(self, crops: NDArray[np.uint8], prior: NDArray[np.int8]) -> Answer:
        """See :class:`picosam2.runtime.Corrector`."""
        return self._batches.ask(crops, prior)
