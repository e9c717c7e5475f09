"""The paper's network: a depthwise-separable U-Net.

Architecture: PicoSAM2 (arXiv 2506.18807), section 3. The convolutions are the paper's exactly; the
predicted-IoU output is an addition (the paper has none), after SAM's IoU head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from picosam2.model.base import ModelConfig, PicoSAM2


@dataclass(frozen=True)
class PaperConfig(ModelConfig):
    """Every width of the network; a variant of it is one line.

    Args:
        encoder: channels of the encoder stages, from full resolution down.
        bottleneck: channels at the lowest resolution.
        decoder: channels of the decoder stages, from low resolution up.
        iou_head: whether the network also predicts the IoU of its own mask.
    """

    family: ClassVar[str] = "paper"
    # ImageNet's, as in the paper.
    mean: ClassVar[tuple[float, float, float]] = (0.485, 0.456, 0.406)
    std: ClassVar[tuple[float, float, float]] = (0.229, 0.224, 0.225)

    encoder: tuple[int, ...] = (48, 96, 160, 256)
    bottleneck: int = 320
    decoder: tuple[int, ...] = (192, 128, 80, 40)
    iou_head: bool = True

    def __post_init__(self) -> None:
        if len(self.encoder) != len(self.decoder):
            raise ValueError("encoder and decoder need the same number of stages")

    @property
    def stride(self) -> int:
        """See :class:`ModelConfig`."""
        return 1 << len(self.encoder)

    @property
    def learns_marks(self) -> bool:
        """See :class:`ModelConfig`; its prompt is the place of the crop alone."""
        return False

    @property
    def predicts_iou(self) -> bool:
        """See :class:`ModelConfig`."""
        return self.iou_head


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


class PaperNetwork(PicoSAM2):
    """See :class:`PicoSAM2` for what goes in and comes out."""

    def __init__(self, config: PaperConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PaperConfig()
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

    def forward(
        self,
        x: Tensor,
        prior: Tensor | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor | None]:
        """See :meth:`PicoSAM2.forward`."""
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
