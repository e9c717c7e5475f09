"""The network as it is exported: for RGB as a camera gives it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from picosam2.model.base import PicoSAM2


class CameraModel(nn.Module):
    """Takes RGB in 0..255: the family's normalisation is folded into the graph."""

    scale: Tensor
    shift: Tensor

    def __init__(self, network: PicoSAM2) -> None:
        super().__init__()
        self.network = network
        mean, std = (
            torch.tensor(values).view(1, 3, 1, 1)
            for values in (network.config.mean, network.config.std)
        )
        self.register_buffer("scale", 1 / (255 * std), persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)

    def forward(self, x: Tensor, prior: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """As :meth:`PicoSAM2.forward`, for N×3×S×S float RGB in 0..255."""
        outputs: tuple[Tensor, Tensor | None] = self.network(x * self.scale + self.shift, prior)
        return outputs
