"""Until when a request has to be answered."""

from __future__ import annotations

import time

from picosam2.serving.refusals import Refused


class Deadline:
    """Until when a request has to be answered.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, 0 or more."""
        return max(0.0, self._end - time.monotonic())

    @property
    def error(self) -> Refused:
        """What is said when it has passed."""
        return Refused(504, f"not answered within {self._seconds:g} s: ask for less")

    def check(self) -> None:
        """Raise the error (504) where it has passed."""
        if not self.left:
            raise self.error
