"""Label Studio's run-length encoding of brush masks (the format rle-pack of thi.ng/umbrella)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Bits of a run's length less one, by the number that names them.
LENGTH_BITS = np.array([3, 4, 8, 16])
# Label Studio draws on RGBA; all four values of a pixel are 0 or 255.
CHANNELS = 4


def brush_rle(mask: NDArray[np.bool_]) -> list[int]:
    """A mask as Label Studio's brush takes it.

    A head (32 bits: how many values; 5: bits of a value less one; 4 times 4: ``LENGTH_BITS`` less
    one), then for each run a 1, the number of its length's bits (2), its length less one, and its
    value (8). Bits are filled up to bytes with zeros.

    Args:
        mask: H×W bool.

    Returns:
        Bytes, 0..255.
    """
    values = mask.ravel()
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    lengths = CHANNELS * np.diff(np.append(starts, values.size))
    longest = 2 ** int(LENGTH_BITS[-1])
    # Runs that are too long become several.
    parts = -(-lengths // longest)
    ends = np.cumsum(parts) - 1
    runs = np.full(int(parts.sum()), longest)
    runs[ends] = lengths - (parts - 1) * longest
    on = np.repeat(values[starts], parts)

    kinds = np.searchsorted(2**LENGTH_BITS, runs)
    bits = LENGTH_BITS[kinds]
    # The longest run's 27 bits fit one number; its bits are then taken from the high end.
    numbers = ((4 | kinds) << bits | (runs - 1)) << 8 | np.where(on, 255, 0)
    sizes = 3 + bits + 8
    width = int(sizes.max())
    places = np.arange(width - 1, -1, -1)
    table = (numbers[:, None] >> places & 1).astype(np.uint8)
    body = table[places < sizes[:, None]]
    head = f"{CHANNELS * values.size:032b}{7:05b}" + "".join(f"{b - 1:04b}" for b in LENGTH_BITS)
    packed = np.packbits(np.concatenate([np.array(list(head), np.uint8), body]))
    return [int(byte) for byte in packed]
