"""Many pictures of different sizes in one flat buffer, each with its halvings, sampled in a batch.

On the GPU as on the CPU: crops of a batch are one gather, whatever photographs they come from.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVELS = 5
ALIGN = 2 ** (LEVELS - 1)
# A box average of 2^l pixels read with bilinear weights blurs as a triangle filter of radius r
# does (the predictor's) where l = log2(r) - 0.29: equal second moments.
LEVEL_BIAS = -0.29


class Mipmaps:
    """Pictures (uint8, H×W×4 or H×W) with ``LEVELS`` halvings each.

    Args:
        sizes: (height, width) of every picture, in order.
        channels: 4 (RGB and a spare byte, gathered as one int32) or 1.
    """

    def __init__(self, sizes: list[tuple[int, int]], channels: int) -> None:
        self.size = torch.tensor(sizes, dtype=torch.int64).reshape(-1, 2)
        padded = (self.size + ALIGN - 1) // ALIGN * ALIGN
        levels = padded[:, None] // 2 ** torch.arange(LEVELS)[None, :, None]
        counts = levels.prod(-1)
        ends = counts.flatten().cumsum(0)
        offsets = (ends - counts.flatten()).reshape(counts.shape)
        # picture × level × (offset, height, width)
        self.table = torch.cat([offsets[..., None], levels], dim=-1)
        dtype = {1: torch.uint8, 4: torch.int32}[channels]
        self.pixels = torch.zeros(int(ends[-1]) if len(ends) else 0, dtype=dtype)

    def put(self, index: int, picture: NDArray[Any]) -> None:
        """Store a picture, H×W×3 or H×W uint8, and its halvings."""
        height, width = picture.shape[:2]
        bottom, right = -height % ALIGN, -width % ALIGN
        if picture.ndim == 3:
            picture = np.dstack([picture, np.zeros((height, width), np.uint8)])
            picture = cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        else:
            picture = cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        for offset, rows, columns in self.table[index].tolist():
            if rows != picture.shape[0]:
                picture = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
            flat = torch.from_numpy(np.ascontiguousarray(picture)).view(self.pixels.dtype)
            self.pixels[offset : offset + rows * columns] = flat.flatten()

    def share_memory_(self) -> Mipmaps:
        """Move the pixels to shared memory, so that worker processes read one copy."""
        self.pixels.share_memory_()  # type: ignore[no-untyped-call]
        return self

    def to(self, device: torch.device) -> Mipmaps:
        """Move everything to a device."""
        self.size, self.table = self.size.to(device), self.table.to(device)
        self.pixels = self.pixels.to(device)
        return self

    def sample(self, index: Tensor, points: Tensor, shrink: Tensor) -> Tensor:
        """Read pictures at points, bilinearly, from the halving that suits the shrink.

        Args:
            index: N int64, the picture of each sample.
            points: N×S×S×2 float32, x and y in the picture's pixels, continuous coordinates.
            shrink: N float32, the distance of neighbouring points in pixels.

        Returns:
            N×C×S×S float32 in 0..255; points outside the picture are 0.
        """
        level = (shrink.log2() + LEVEL_BIAS).round().clamp(0, LEVELS - 1).long()
        offset, rows, columns = (t[:, None, None] for t in self.table[index, level].unbind(-1))
        x, y = (points * 0.5 ** level[:, None, None, None] - 0.5).unbind(-1)
        x0, y0 = x.floor(), y.floor()
        fx, fy = x - x0, y - y0
        x0, y0 = x0.long(), y0.long()
        left, right = (torch.minimum(c.clamp(min=0), columns - 1) for c in (x0, x0 + 1))
        top, bottom = (torch.minimum(c.clamp(min=0), rows - 1) * columns for c in (y0, y0 + 1))
        size = self.size[index][:, None, None]
        inside = (points >= 0).all(-1) & (points < size.flip(-1)).all(-1)
        result = torch.zeros((), device=points.device)
        for row, column, weight in (
            (top, left, (1 - fx) * (1 - fy)),
            (top, right, fx * (1 - fy)),
            (bottom, left, (1 - fx) * fy),
            (bottom, right, fx * fy),
        ):
            values = self.pixels[offset + row + column][..., None].view(torch.uint8)
            result = result + values[..., :3].float() * (weight * inside)[..., None]
        return result.permute(0, 3, 1, 2)
