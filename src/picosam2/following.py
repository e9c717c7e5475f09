"""What following an object means, in a camera's sensor and on a host: found, unsure, lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["found", "unsure", "lost"]


@dataclass
class Patience:
    """Counts the frames without a trustworthy mask; too many in a row, and the object is lost.

    Args:
        lost_score: a mask of a lower predicted IoU is a miss, as an empty one is.
        patience: misses in a row that make an object lost.
        misses: in a row so far.
    """

    lost_score: float
    patience: int
    misses: int = 0

    @property
    def state(self) -> State:
        """``found``; ``unsure`` after a miss; ``lost`` after too many."""
        if self.misses >= self.patience:
            return "lost"
        return "unsure" if self.misses else "found"

    def is_miss(self, score: float, empty: bool) -> bool:
        """Whether a mask is none to go by."""
        return empty or score < self.lost_score

    def see(self, score: float, empty: bool) -> State:
        """The state after one more frame."""
        self.misses = self.misses + 1 if self.is_miss(score, empty) else 0
        return self.state

    def find(self) -> None:
        """The object was found again."""
        self.misses = 0
