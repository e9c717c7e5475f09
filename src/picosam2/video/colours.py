"""The colours of an object and of what is around it, learnt from the frames before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Values of red, green and blue that are told apart: 2 ** BITS each.
BITS = 3
BINS = 2**BITS
# Log-likelihood ratios are kept within this; the sides of the square they are averaged over.
MOST, BLUR = 3.0, 5
# So that a colour that was not seen is not impossible.
UNSEEN = 1e-6


@dataclass(frozen=True)
class Colours:
    """Histograms: 512 float64 each, which sum to 1.

    Args:
        inside: of the object.
        outside: of what is around it.
    """

    inside: NDArray[np.float64]
    outside: NDArray[np.float64]

    @classmethod
    def of(cls, crop: NDArray[np.uint8], logits: NDArray[np.float32]) -> Colours:
        """Those of a crop.

        Args:
            crop: S×S×3 uint8 RGB.
            logits: S×S float32, above 0 is object; what is near 0 is left out.
        """
        codes = _codes(crop)
        return cls(_histogram(codes[logits > 1]), _histogram(codes[logits < -1]))

    def blend(self, other: Colours, share: float) -> Colours:
        """With a share of another frame's."""
        return Colours(
            (1 - share) * self.inside + share * other.inside,
            (1 - share) * self.outside + share * other.outside,
        )

    def likelihood(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How much more a crop's pixels look like the object than like what is around it.

        Args:
            crop: S×S×3 uint8 RGB.

        Returns:
            S×S float32, the logarithm of the ratio, averaged over 5×5 pixels.
        """
        ratio = np.log(self.inside / self.outside).clip(-MOST, MOST).astype(np.float32)
        result: NDArray[np.float32] = ndimage.uniform_filter(ratio[_codes(crop)], BLUR)
        return result

    def likeness(self, other: Colours) -> float:
        """How alike two objects are, in 0..1: the Bhattacharyya coefficient of their colours."""
        return float(np.sqrt(self.inside * other.inside).sum())


def _codes(crop: NDArray[np.uint8]) -> NDArray[np.intp]:
    reduced = (crop >> (8 - BITS)).astype(np.intp)
    codes: NDArray[np.intp] = (reduced[..., 0] * BINS + reduced[..., 1]) * BINS + reduced[..., 2]
    return codes


def _histogram(codes: NDArray[np.intp]) -> NDArray[np.float64]:
    counts = np.bincount(codes, minlength=BINS**3).reshape(BINS, BINS, BINS).astype(np.float64)
    # Light changes: neighbouring colours count as well.
    smooth = ndimage.uniform_filter(counts, 3, mode="constant")
    smooth += UNSEEN * max(1.0, smooth.sum())
    result: NDArray[np.float64] = (smooth / smooth.sum()).ravel()
    return result
