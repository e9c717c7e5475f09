"""The small network: EfficientNet-Lite0's first stages, and a light decoder.

Encoder: EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946, scaled down as TensorFlow's "lite"
models: no squeeze-and-excitation, ReLU6), stem and first stages, with symmetric padding. Decoder
and predicted IoU: ours, chosen by measuring (``docs/training.md``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picosam2.model.base import ModelConfig, PicoSAM2

STEM = 32
# Expansion, kernel, stride, channels and blocks of EfficientNet-Lite0's stages.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
)
# TensorFlow's, with which the encoder was trained.
EPSILON = 1e-3


@dataclass(frozen=True)
class SmallConfig(ModelConfig):
    """The widths of the decoder.

    Args:
        decoder: channels of the decoder stages, from low resolution up.
        kernels: sides of their depthwise convolutions, in pixels.
        iou_hidden: channels between the pooled features and the predicted IoU.
    """

    family: ClassVar[str] = "small"
    # To −1..1, as the encoder was trained.
    mean: ClassVar[tuple[float, float, float]] = (0.5, 0.5, 0.5)
    std: ClassVar[tuple[float, float, float]] = (0.5, 0.5, 0.5)

    decoder: tuple[int, ...] = (128, 96, 64, 16)
    kernels: tuple[int, ...] = (5, 5, 3, 3)
    iou_hidden: int = 64

    def __post_init__(self) -> None:
        if len(self.decoder) != 4 or len(self.kernels) != 4:
            raise ValueError("the decoder has four stages: decoder and kernels need four values")

    @property
    def stride(self) -> int:
        """See :class:`ModelConfig`."""
        return 16


def convolution(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: bool = True,
) -> nn.Sequential:
    """Convolution with symmetric padding, BatchNorm and (with ``activation``) ReLU6."""
    layers: list[nn.Module] = [
        nn.Conv2d(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels, eps=EPSILON),
    ]
    if activation:
        layers.append(nn.ReLU6(inplace=True))
    return nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """MobileNetV2's block (arXiv 1801.04381): expand, depthwise, project; added to its input."""

    def __init__(
        self, in_channels: int, out_channels: int, expansion: int, kernel: int, stride: int
    ) -> None:
        super().__init__()
        width = in_channels * expansion
        self.expand = convolution(in_channels, width) if expansion > 1 else nn.Identity()
        self.depthwise = convolution(width, width, kernel, stride, groups=width)
        self.project = convolution(width, out_channels, activation=False)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×C'×H/stride×W/stride."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class DecoderStage(nn.Module):
    """Project, double the resolution, add the encoder's feature, then depthwise and pointwise."""

    def __init__(self, in_channels: int, skip_channels: int | None, channels: int, kernel: int):
        super().__init__()
        self.project = nn.Conv2d(in_channels, channels, 1)
        self.skip = nn.Conv2d(skip_channels, channels, 1) if skip_channels else nn.Identity()
        self.block = nn.Sequential(
            convolution(channels, channels, kernel, groups=channels),
            convolution(channels, channels),
        )

    def forward(self, x: Tensor, feature: Tensor) -> Tensor:
        """N×C×H×W and the feature of 2H×2W to N×C'×2H×2W."""
        x = F.interpolate(self.project(x), scale_factor=2.0, mode="nearest")
        y: Tensor = self.block(x + self.skip(feature))
        return y


class SmallNetwork(PicoSAM2):
    """See :class:`PicoSAM2` for what goes in and comes out."""

    def __init__(self, config: SmallConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SmallConfig()
        planes = 5 if config.takes_prior else 3
        self.stem = convolution(planes, STEM, 3, 2)
        stages, width, skips = [], STEM, []
        for expansion, kernel, stride, channels, count in STAGES:
            if stride == 2:
                skips.append(width)
            blocks = []
            for index in range(count):
                blocks.append(
                    InvertedResidual(width, channels, expansion, kernel, 1 if index else stride)
                )
                width = channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.iou_encoder = nn.Conv2d(width, config.iou_hidden, 1)
        # At full resolution the photograph itself has what the decoder needs.
        self.detail = convolution(planes, config.decoder[-1], 3)
        ups = []
        for skip, channels, kernel in zip(
            [*reversed(skips), None], config.decoder, config.kernels, strict=True
        ):
            ups.append(DecoderStage(width, skip, channels, kernel))
            width = channels
        self.ups = nn.ModuleList(ups)
        self.head = nn.Conv2d(width, 1, 1)
        self.iou_decoder = nn.Conv2d(config.decoder[-2], config.iou_hidden, 1)
        self.iou_head = nn.Conv2d(config.iou_hidden, 1, 1)

    def is_encoder(self, name: str) -> bool:
        """See :meth:`PicoSAM2.is_encoder`."""
        return name.startswith(("stem.", "stages."))

    def forward(self, x: Tensor, prior: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See :meth:`PicoSAM2.forward`."""
        if self.config.takes_prior:
            # Without a prior nothing is known.
            known = x.new_zeros(len(x), 2, *x.shape[2:]) if prior is None else prior
            x = torch.cat([x, known], dim=1)
        detail = self.detail(x)
        x = self.stem(x)
        features = []
        for stage, (_, _, stride, _, _) in zip(self.stages, STAGES, strict=True):
            if stride == 2:
                features.append(x)
            x = stage(x)
        pooled = self.iou_encoder(F.adaptive_avg_pool2d(x, 1))
        for up, feature in zip(self.ups, [*reversed(features), detail], strict=True):
            if feature is detail:
                pooled = pooled + self.iou_decoder(F.adaptive_avg_pool2d(x, 1))
            x = up(x, feature)
        return self.head(x), self.iou_head(torch.relu(pooled))
