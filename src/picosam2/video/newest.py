"""For live frames the newest one wins: what comes while one is worked on is dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Newest(Generic[Item]):
    """Reads a live source in a thread, and gives whoever asks its newest frame.

    Args:
        source: frames as they come; iterating waits for the next.
        clock: seconds; of each frame the time at which it was read.

    Attributes:
        dropped: frames that nobody saw.
    """

    def __init__(
        self, source: Iterable[Item], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.dropped = 0
        self._source = source
        self._clock = clock
        self._arrived = threading.Condition()
        self._latest: tuple[int, float, Item] | None = None
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __iter__(self) -> Iterator[tuple[int, float, Item]]:
        """Number of the frame in the source, its time in seconds, and the frame.

        Raises:
            Exception: what the source raised.
        """
        self._thread.start()
        try:
            while True:
                with self._arrived:
                    self._arrived.wait_for(lambda: self._latest is not None or self._ended)
                    latest, self._latest = self._latest, None
                if latest is None:
                    if self._error is not None:
                        raise self._error
                    return
                yield latest
        finally:
            self._ended = True

    def _read(self) -> None:
        try:
            for number, item in enumerate(self._source):
                with self._arrived:
                    if self._ended:
                        return
                    if self._latest is not None:
                        self.dropped += 1
                    self._latest = number, self._clock(), item
                    self._arrived.notify()
        # Told to whoever asks for the next frame.
        except Exception as error:
            self._error = error
        finally:
            with self._arrived:
                self._ended = True
                self._arrived.notify()
