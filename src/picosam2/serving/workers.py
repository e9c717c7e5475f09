"""Threads that answer requests, a bounded number at a time, with one network."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from picosam2.predictor import Predictor
from picosam2.serving.batching import BatchingCorrector, BatchingRuntime
from picosam2.serving.config import ServingConfig
from picosam2.serving.deadline import Deadline
from picosam2.serving.refusals import Refused

T = TypeVar("T")


class Workers:
    """Threads that answer requests with one predictor, whose batches they share.

    Args:
        predictor: with trained weights.
        config: how many requests are taken, and how many computed at a time.
    """

    def __init__(self, predictor: Predictor, config: ServingConfig) -> None:
        self._config = config
        self._pool = ThreadPoolExecutor(config.workers, thread_name_prefix="picosam2")
        self._lock = threading.Lock()
        self._computing = 0
        # Of the event loop alone.
        self._admitted = 0
        corrector = predictor.corrector
        self.predictor = Predictor(
            BatchingRuntime(predictor.runtime, self._callers, config.gather),
            predictor.config,
            predictor.scores,
            corrector and BatchingCorrector(corrector, self._callers, config.gather),
        )

    @contextlib.contextmanager
    def admit(self) -> Iterator[Deadline]:
        """Take a request in, from the end of its head on; give until when it has to be answered.

        Raises:
            Refused: 429, there are too many.
        """
        if self._admitted >= self._config.queue:
            raise Refused(
                429,
                f"{self._config.queue} requests are in progress: try again in a second",
                {"Retry-After": "1"},
            )
        self._admitted += 1
        try:
            yield Deadline(self._config.seconds)
        finally:
            self._admitted -= 1

    async def run(self, work: Callable[[], T], deadline: Deadline) -> T:
        """What ``work`` gives, in one of the threads.

        It has to look at the deadline itself while it runs; it does not begin after it.

        Raises:
            Refused: 504, the deadline has passed.
        """
        try:
            async with asyncio.timeout(deadline.left):
                return await asyncio.wrap_future(self._pool.submit(self._counted, work, deadline))
        except TimeoutError:
            raise deadline.error from None

    def close(self) -> None:
        """Let what runs come to its end."""
        self._pool.shutdown(cancel_futures=True)

    def _counted(self, work: Callable[[], T], deadline: Deadline) -> T:
        deadline.check()
        with self._lock:
            self._computing += 1
        try:
            return work()
        finally:
            # The thread may have nothing to do for long, and photographs are large.
            self.predictor.reset_predictor()
            with self._lock:
                self._computing -= 1

    def _callers(self) -> int:
        return self._computing
