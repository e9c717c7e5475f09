"""The PicoSAM2 network: a depthwise-separable U-Net from an RGB crop to mask logits.

Architecture: PicoSAM2 (arXiv 2506.18807), section 3. The convolutions are the paper's exactly; the
predicted-IoU output is an addition (the paper has none), after SAM's IoU head.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class ModelConfig:
    """Every width of the network; a variant of it is one line.

    Args:
        encoder: channels of the encoder stages, from full resolution down.
        bottleneck: channels at the lowest resolution.
        decoder: channels of the decoder stages, from low resolution up.
        iou_head: whether the network also predicts the IoU of its own mask.
    """

    encoder: tuple[int, ...] = (48, 96, 160, 256)
    bottleneck: int = 320
    decoder: tuple[int, ...] = (192, 128, 80, 40)
    iou_head: bool = True

    def __post_init__(self) -> None:
        if len(self.encoder) != len(self.decoder):
            raise ValueError("encoder and decoder need the same number of stages")

    @property
    def stride(self) -> int:
        """The crop's side must be a multiple of this many pixels."""
        return 1 << len(self.encoder)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON-ready values; ``ModelConfig.from_dict`` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Inverse of :meth:`to_dict` (JSON turns tuples into lists)."""
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**fields)


def depthwise_separable(in_channels: int, out_channels: int) -> nn.Sequential:
    """Depthwise 3×3 and pointwise 1×1 convolution, each with BatchNorm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        nn.BatchNorm2d(in_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class PicoSAM2(nn.Module):
    """U-Net whose prompt is the place of the crop: the object is the one at its centre.

    The network is fully convolutional: a side of 96 is the paper's, any multiple of
    ``config.stride`` works.
    """

    def __init__(self, config: ModelConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ModelConfig()
        blocks, downs, ups, skips = [], [], [], []
        width = 3
        for channels in config.encoder:
            blocks.append(depthwise_separable(width, channels))
            downs.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False))
            width = channels
        self.bottleneck = depthwise_separable(width, config.bottleneck)
        width = config.bottleneck
        for channels, skip in zip(config.decoder, reversed(config.encoder), strict=True):
            ups.append(depthwise_separable(width, channels))
            skips.append(nn.Conv2d(skip, channels, 1))
            width = channels
        self.blocks, self.downs = nn.ModuleList(blocks), nn.ModuleList(downs)
        self.ups, self.skips = nn.ModuleList(ups), nn.ModuleList(skips)
        self.head = nn.Conv2d(width, 1, 1)
        self.iou_head = nn.Conv2d(config.bottleneck, 1, 1) if config.iou_head else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Segment the object at the centre of each crop.

        Args:
            x: N×3×S×S float, RGB, ImageNet-normalised, S a multiple of ``config.stride``.

        Returns:
            Mask logits N×1×S×S (above 0 is object) and IoU logits N×1×1×1, whose sigmoid
            predicts the mask's IoU with the *whole* object (None without ``iou_head``).
        """
        features = []
        for block, down in zip(self.blocks, self.downs, strict=True):
            x = block(x)
            features.append(x)
            x = down(x)
        x = self.bottleneck(x)
        # Of the forms of a mean, this one passes every exporter (IMX500, LiteRT, ONNX INT8).
        iou = self.iou_head(F.adaptive_avg_pool2d(x, 1)) if self.iou_head is not None else None
        for up, skip, feature in zip(self.ups, self.skips, reversed(features), strict=True):
            x = up(F.interpolate(x, scale_factor=2.0, mode="nearest")) + skip(feature)
        return self.head(x), iou


class CameraModel(nn.Module):
    """The network as it is exported: takes RGB in 0..255, normalisation folded into the graph.

    ImageNet's mean and deviation, as in the paper.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: PicoSAM2) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("scale", 1 / (255 * IMAGENET_STD), persistent=False)
        self.register_buffer("shift", -IMAGENET_MEAN / IMAGENET_STD, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """As :meth:`PicoSAM2.forward`, for N×3×S×S float RGB in 0..255."""
        outputs: tuple[Tensor, Tensor | None] = self.network(x * self.scale + self.shift)
        return outputs


IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
