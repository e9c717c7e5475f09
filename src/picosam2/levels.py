"""Values of any depth as 8 bits: microscopes, X-ray and depth cameras store more than a screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from picosam2.errors import InputError

# Depths that sensors have; the least that holds an image's maximum is taken for its own.
BITS = (8, 10, 12, 14, 16)
PERCENTILES = (0.1, 99.9)
# As many values are looked at for the percentiles: of more, every n-th.
SAMPLE = 2**22

Range = tuple[float, float]


@dataclass(frozen=True)
class Levels:
    """Which value becomes black and which white; what is between them is proportional.

    Args:
        low: becomes 0, and so does what is less, and NaN.
        high: becomes 255, and so does what is more.
        reason: what kind of values these are, for messages.
    """

    low: float
    high: float
    reason: str

    def __call__(self, values: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Values of any number type and shape as uint8 of the same shape."""
        scaled = (values.astype(np.float64) - self.low) * (255 / (self.high - self.low))
        return np.rint(np.nan_to_num(scaled, nan=0)).clip(0, 255).astype(np.uint8)


def given_levels(value_range: Range) -> Levels:
    """Levels that a user asks for: LOW, HIGH.

    Raises:
        InputError: these are not two finite numbers, the first less than the second.
    """
    try:
        low, high = (float(bound) for bound in value_range)
    except (TypeError, ValueError):
        raise InputError(f"the range must be two numbers, LOW and HIGH: {value_range!r}") from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError(f"the range {low:g},{high:g} is empty: give LOW,HIGH, two finite numbers")
    return Levels(low, high, "the given range")


def find_levels(strips: Iterable[NDArray[np.generic]], count: int) -> Levels:
    """Levels that suit values of which nothing else is known.

    Integers from 0 to 65535 by the least of 8, 10, 12, 14 and 16 bits that holds their maximum;
    floats within 0..1 as they are; all else from the 0.1st to the 99.9th percentile.

    Args:
        strips: all values, in arrays of one number type.
        count: how many they are.
    """
    step = max(1, count // SAMPLE)
    least, most, whole = np.inf, -np.inf, True
    samples = []
    for strip in strips:
        whole = whole and strip.dtype.kind in "bui"
        finite = strip if whole else strip[np.isfinite(strip)]
        if finite.size:
            least, most = min(least, finite.min()), max(most, finite.max())
            # A view would keep all values in memory.
            samples.append(finite.ravel()[::step].copy())
    if whole and least >= 0 and most < 2 ** BITS[-1]:
        bits = next(bits for bits in BITS if most < 2**bits)
        return Levels(0, 2**bits - 1, f"{bits}-bit values")
    if not samples:
        return Levels(0, 1, "no number")
    if not whole and least >= 0 and most <= 1:
        return Levels(0, 1, "values within 0..1")
    low, high = np.percentile(np.concatenate(samples), PERCENTILES).tolist()
    # Equal values have no contrast to keep: all black.
    return Levels(low, high if high > low else low + 1, "0.1st to 99.9th percentile")
